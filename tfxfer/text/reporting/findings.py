"""Everything the report of a run on texts is written from."""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from tfxfer.config.decided import DecidedTextFit
from tfxfer.evaluation.result import EvaluationResult
from tfxfer.runs.history import Epoch
from tfxfer.runs.metrics_record import FitMetrics
from tfxfer.system.run_layout import RunDirectory
from tfxfer.text.models.backbones import TextBackbone, recorded_backbone
from tfxfer.text.models.classifier import BACKBONE
from tfxfer.text.serving.scoring import Scored
from tfxfer.text.training.baseline import Baseline


@dataclass(frozen=True)
class TextFindings:
    """A run on texts with its metrics and predictions on the split that evaluates it.

    Attributes:
        run: Directory of the run.
        config: Settings, all decided.
        metrics: Content of `metrics.json`.
        epochs: Epochs of all phases.
        scored: The texts of that split with what the model makes of them.
        counts: Number of texts of each class by split, (num_classes,) each.
        notes: Remarks on the data from when they were opened.
        model: Texts to probabilities.
    """

    run: RunDirectory
    config: DecidedTextFit
    metrics: FitMetrics
    epochs: Sequence[Epoch]
    scored: Scored
    counts: Mapping[str, npt.NDArray[np.int64]]
    notes: tuple[str, ...]
    model: keras.Model

    @property
    def result(self) -> EvaluationResult:
        """The metrics on that split."""
        return self.scored.result

    @property
    def baseline(self) -> Baseline | None:
        """The baseline on the same splits; None if it was not recorded."""
        found = self.metrics.further.get("baseline")
        return None if found is None else Baseline.of_json(found)

    @functools.cached_property
    def backbone(self) -> TextBackbone:
        """The record of the backbone."""
        layers = self.model.get_layer(BACKBONE).layers
        stages = dict.fromkeys(layer.name.partition("_")[0] for layer in layers)
        found = [one for one in stages if re.fullmatch(r"embedding|block\d+", one)]
        return recorded_backbone(self.config.backbone, found)

    @functools.cached_property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The most probable class of each text, (num_examples,)."""
        predicted: npt.NDArray[np.int64] = self.result.probabilities.argmax(axis=1)
        return predicted

    @functools.cached_property
    def mistakes(self) -> npt.NDArray[np.int64]:
        """Indices of wrong predictions, most confident first."""
        confidence = self.result.probabilities.max(axis=1)
        wrong = np.flatnonzero(self.predicted != self.result.labels)
        ordered: npt.NDArray[np.int64] = wrong[np.argsort(-confidence[wrong], kind="stable")]
        return ordered
