"""A published SavedModel, run through its own signatures."""

import functools
import json
import pathlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.config.frame import RGB, FitImages, Frame
from tfxfer.data.labels.outputs import Outputs
from tfxfer.data.seen import Seen, read_seen
from tfxfer.errors import RunError, UsageError
from tfxfer.inference.caution import Judged
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.inference.foreign import check_finite
from tfxfer.inference.given_images import AnyImage
from tfxfer.inference.own_data import seen_by_older_export
from tfxfer.runs.class_names import read_class_names
from tfxfer.runs.scores.caution import CautionRecord
from tfxfer.system.run_layout import FACTS_FILE, LABELS_FILE, exported_seen_file


@dataclass(frozen=True)
class ServedClassifier(TrainedClassifier):
    """A SavedModel published by `tfxfer export`, run through its own signatures.

    Attributes:
        model: The loaded SavedModel.
        path: Its directory.
        config: None.
        fitted: What it makes of images.
        limits: The thresholds of what it says besides probabilities; None without.
    """

    model: Any
    fitted: Frame
    limits: CautionRecord | None = None

    @functools.cached_property
    def seen(self) -> Seen | None:
        """Which images the model has seen; None where that is not known."""
        return read_seen(exported_seen_file(self.path)) or seen_by_older_export(self.path)

    @property
    def frame(self) -> Frame:
        """What the model takes, and how images are fitted into it."""
        return self.fitted

    def predict_squares(self, squares: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """See `TrainedClassifier.predict_squares`."""
        pixels = tf.constant(squares.astype(np.uint8))
        answer = self.model.signatures["pixels"](pixels=pixels)
        if self.outputs.number is not None:
            return check_finite(np.asarray(answer["value"])[:, None], self.path)
        return check_finite(np.asarray(answer["probabilities"]), self.path)

    @property
    def is_cautious(self) -> bool:
        """See `TrainedClassifier.is_cautious`."""
        return "unknown" in self.model.signatures["pixels"].structured_outputs

    def judge_squares(
        self, squares: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[np.float32], Judged | None]:
        """See `TrainedClassifier.judge_squares`."""
        if not self.is_cautious:
            return self.predict_squares(squares), None
        answer = self.model.signatures["pixels"](pixels=tf.constant(squares.astype(np.uint8)))
        probabilities = check_finite(np.asarray(answer["probabilities"]), self.path)
        names = ("unknown_score", "unknown", "in_set")
        return probabilities, Judged(*(np.asarray(answer[name]) for name in names))

    def predict_dataset(
        self,
        batches: tf.data.Dataset,
        num_examples: int,
        batch_size: int,
        progress: Callable[[int], None],
    ) -> npt.NDArray[np.float32]:
        """See `TrainedClassifier.predict_dataset`."""
        found = []
        for number, (squares, _) in enumerate(batches.as_numpy_iterator(), start=1):
            found.append(self.predict_squares(squares))
            progress(number)
        return np.concatenate(found)

    def features(
        self, images: AnyImage | Iterable[AnyImage], batch_size: int = 64
    ) -> npt.NDArray[np.float32]:
        """See `TrainedClassifier.features`; files only, as the signature takes them.

        Raises:
            UsageError: The SavedModel has no such signature.
        """
        raise UsageError(
            f"For features of the export '{self.path}', call its signature 'features', or use the "
            "run or its '.keras' file here."
        )


def load_saved_model(path: pathlib.Path) -> ServedClassifier:
    """Returns a SavedModel with its class names and frame, which are in its assets."""
    assets = path / "assets"
    try:
        facts = json.loads((assets / FACTS_FILE).read_text("utf-8"))
        frame = _frame_of(facts, assets / FACTS_FILE)
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"The SavedModel '{path}' was not published by `tfxfer export`: it has no "
            f"'assets/{FACTS_FILE}' that states its input size. If Keras 2 wrote it, save it there "
            "as a file, which tfxfer takes: `model.save('model.h5')`."
        ) from None
    class_names = read_class_names(assets / LABELS_FILE)
    outputs = Outputs.of_json(class_names, facts)
    try:
        model = tf.saved_model.load(str(path))
    except (OSError, ValueError, tf.errors.OpError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RunError(f"Cannot load the SavedModel '{path}': {reason}") from error
    return ServedClassifier(model, outputs, path, None, frame, _limits_of(facts))


def limits_of(trained: TrainedClassifier) -> CautionRecord | None:
    """Returns the thresholds of a cautious model; None of others, and of exports that lack them."""
    if isinstance(trained, ServedClassifier):
        return trained.limits
    return None if trained.caution is None else trained.caution.record


def _limits_of(facts: Mapping[str, Any]) -> CautionRecord | None:
    """Returns the thresholds of a cautious SavedModel; None if it has none."""
    try:
        return CautionRecord.of_json(facts["caution"])
    except (KeyError, TypeError, AttributeError):
        return None


def _frame_of(facts: Mapping[str, Any], path: pathlib.Path) -> Frame:
    """Returns what a SavedModel makes of images; older ones do not say how they fit them.

    Args:
        facts: About the model.
        path: Where they are, for messages.

    Raises:
        UsageError: They fit images in an unknown way.
        KeyError, TypeError, ValueError: They do not state a size.
    """
    fit = facts.get("fit_images", "crop")
    if fit not in get_args(FitImages):
        allowed = ", ".join(f"'{one}'" for one in get_args(FitImages))
        raise UsageError(
            f"In '{path}', 'fit_images' is {fit!r}; allowed are {allowed}. Another version of "
            "tfxfer may have written it: export the model again."
        )
    size = facts["input_size"]
    channels = int(facts.get("channels", RGB))
    return Frame.of(size if isinstance(size, str) else int(size), fit, channels)
