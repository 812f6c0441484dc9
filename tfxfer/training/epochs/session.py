"""A call that trains: what it has besides its settings, and what it returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from tfxfer.system.progress import Clock, Say
from tfxfer.system.signals import Interruptions


@dataclass(frozen=True)
class Session:
    """What a call has besides its settings.

    Attributes:
        interruptions: Signals received so far.
        say: Called with each progress message.
        callbacks: Keras callbacks, called in each phase that is trained by gradient steps.
        clock: Started with the call.
    """

    interruptions: Interruptions
    say: Say
    callbacks: Sequence[keras.callbacks.Callback] = ()
    clock: Clock = field(default_factory=Clock)


@dataclass(frozen=True)
class FitResult:
    """The results of a fit.

    Attributes:
        run: Directory of the run.
        model: The `.keras` file: RGB in [0, 255], or texts, in; probabilities out.
        export: Version directory of the SavedModel.
        metrics: Content of `metrics.json`.
    """

    run: Path
    model: Path
    export: Path
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class PretrainResult:
    """The results of a pretraining.

    Attributes:
        run: Directory of the run.
        backbone: The `.keras` file with the trained backbone.
        metrics: Content of `metrics.json`.
    """

    run: Path
    backbone: Path
    metrics: Mapping[str, Any]
