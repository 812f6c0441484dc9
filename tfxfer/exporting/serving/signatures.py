"""The SavedModel that is served: encoded images or pixels in, named classes or features out."""

import json
import logging
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from tfxfer.config.frame import RGB, Frame, in_words
from tfxfer.data.image.channels import RGBA
from tfxfer.data.image.formats.picture import MAX_PIXELS
from tfxfer.data.image.formats.recognition import SERVED_FORMATS
from tfxfer.data.image.framing import resize
from tfxfer.data.labels.outputs import Outputs
from tfxfer.data.labels.tasks import Tasks
from tfxfer.exporting.caution import GIVES, CautionGraph
from tfxfer.exporting.serving.decoder import traced, traced_decoder
from tfxfer.inference.caution import Caution
from tfxfer.models.folding.once import folded_once
from tfxfer.models.heads import with_features
from tfxfer.models.preprocessing import frame_of
from tfxfer.system.names import class_lines
from tfxfer.system.notices import tensorflow_logging_from
from tfxfer.system.run_layout import FACTS_FILE, LABELS_FILE

# From probabilities, (batch, num_classes), to what is said of them, by the names of outputs.
Naming = Callable[[tf.Tensor], dict[str, tf.Tensor]]

# How many of the most probable classes an answer names.
TOP_CLASSES = 5

_GIVES_A_CLASS = (
    f"probabilities, class_id, label, and of the {TOP_CLASSES} most probable classes "
    "top_k_probabilities, top_k_class_ids, top_k_labels"
)

_GIVES_LABELS = (
    "probabilities (batch, num_labels), chosen (batch, num_labels): whether each is at least the "
    "threshold of its label, and labels (batch, num_labels): the name where it is, else empty"
)


_GIVES_TASKS = (
    "probabilities (batch, num_outputs) of all tasks, and of each task TASK_probabilities (batch, "
    "num_classes), TASK_class_id and TASK_label (batch,)"
)

_GIVES_A_NUMBER = "value (batch,): the number, in the unit of the training data"


def contract(outputs: Outputs, channels: int, *, is_cautious: bool) -> dict[str, dict[str, str]]:
    """Returns what each signature takes and gives, as `FACTS_FILE` says it.

    Args:
        outputs: What the outputs of the model are of.
        channels: Of its images.
        is_cautious: Whether it also tells unknown images and prediction sets.
    """
    gives = _GIVES_A_CLASS if outputs.thresholds is None else _GIVES_LABELS
    gives = gives if outputs.tasks is None else _GIVES_TASKS
    gives = gives if outputs.number is None else _GIVES_A_NUMBER
    return {
        "serving_default": {
            "image_bytes": f"string (batch,): {_files(channels)} files, any size up to "
            f"{MAX_PIXELS // 10**6} megapixels each",
            "gives": f"{gives}; {GIVES}" if is_cautious else gives,
        },
        "pixels": {
            "pixels": f"uint8 (batch, height, width, {channels}): "
            f"{'RGB of ' if channels == RGB else ''}any height and width",
            "gives": "same as serving_default",
        },
        "features": {
            "image_bytes": "same as serving_default",
            "gives": "features (batch, num_features): pooled features, the input of the head",
        },
    }


def _files(channels: int) -> str:
    """Returns which files a SavedModel takes, by the channels of its images."""
    arrays = f"NumPy (.npy, of {in_words(channels)})"
    also = {1: f"gray {SERVED_FORMATS}, or ", RGBA: "PNG with alpha, or "}.get(channels, "")
    return SERVED_FORMATS if channels == RGB else f"{also}{arrays}"


def write_saved_model(
    model: keras.Model,
    outputs: Outputs,
    facts: Mapping[str, Any],
    directory: pathlib.Path,
    caution: Caution | None = None,
) -> None:
    """Writes the SavedModel of a classifier; the Keras backend must be TensorFlow.

    `serving_default` takes `image_bytes`, a batch of JPEG, PNG, BMP, GIF or WebP files, and
    `pixels` takes `pixels`, uint8 RGB of shape (batch, height, width, 3) and any size. Images of
    other channels than RGB are NumPy's files, and arrays of as many channels. Both give
    `probabilities`, (batch, num_classes), `class_id` and `label`, (batch,), and of the k most
    probable classes, best first, `top_k_probabilities`, `top_k_class_ids` and `top_k_labels`,
    (batch, k); k is 5, or the number of classes where there are fewer. Where an image may have
    several labels they give `probabilities`, `chosen`, whether each is at least its threshold, and
    `labels`, the names of those, all of shape (batch, num_labels). Of several tasks they give
    `probabilities` of all, and for a task `NAME` also `NAME_probabilities`, (batch, num_classes),
    `NAME_class_id` and `NAME_label`, (batch,). Of a number they give nothing but `value`, (batch,).
    `features` takes `image_bytes` and gives `features`, (batch, num_features); a model that was not
    built by tfxfer has no such signature.

    Decoding and resizing are the functions used in training. A file that is not an image, or has
    more than 100 megapixels, is refused by its number in the batch.

    Args:
        model: Images in [0, 255] to probabilities, float32.
        outputs: What its outputs are of.
        facts: What the file `assets/tfxfer.json` tells of the model, as JSON can write it.
        directory: An empty directory.
        caution: What it also says of an image: `unknown_score` and `unknown`, (batch,), `in_set`
            and `set_labels`, (batch, num_classes); None for nothing.
    """
    careful = None if caution is None else CautionGraph(caution, outputs.names)
    answers = _Functions(model, _naming(outputs), careful)
    image_bytes = tf.TensorSpec((None,), tf.string, name="image_bytes")
    channels = frame_of(model).channels
    pixels = tf.TensorSpec((None, None, None, channels), tf.uint8, name="pixels")
    signatures = {
        "serving_default": traced(answers.from_bytes, [image_bytes]),
        "pixels": traced(answers.from_pixels, [pixels]),
    }
    if answers.have_features:
        signatures["features"] = traced(answers.features, [image_bytes])
    served = tf.Module()
    served.model_variables = answers.variables
    served.caution = careful
    with tempfile.TemporaryDirectory() as folder:
        # An asset keeps its file's name.
        labels, told = pathlib.Path(folder, LABELS_FILE), pathlib.Path(folder, FACTS_FILE)
        labels.write_text(class_lines(outputs.names), "utf-8")
        told.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", "utf-8")
        served.assets = [tf.saved_model.Asset(str(labels)), tf.saved_model.Asset(str(told))]
        # In notebooks it logs "Assets written to", with a temporary path.
        with tensorflow_logging_from(logging.WARNING):
            tf.saved_model.save(served, str(directory), signatures)


class _Functions:
    """What the signatures compute, before they are traced."""

    def __init__(self, model: keras.Model, naming: Naming, careful: CautionGraph | None) -> None:
        self._frame = frame_of(model)
        self._framed = tf.TensorSpec(self._frame.shape, tf.uint8)
        whole, self.variables = folded_once(with_features(model))
        self._answer = _answer(whole, naming, careful, self._frame)
        # Traced and saved once for both signatures.
        self._decoded = traced_decoder(self._frame)

    @property
    def have_features(self) -> bool:
        """Whether the model was built by tfxfer, and has features."""
        return "features" in self._answer.structured_outputs

    def from_bytes(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the answer to image files, (batch,)."""
        return _without_features(self._answered(self._decoded(image_bytes)))

    def from_pixels(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the answer to uint8 images, (batch, height, width, channels)."""
        squares = tf.map_fn(
            lambda one: resize(one, self._frame), pixels, fn_output_signature=self._framed
        )
        return _without_features(self._answered(squares))

    def features(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the features of image files, (batch,)."""
        return {"features": self._answered(self._decoded(image_bytes))["features"]}

    def _answered(self, squares: tf.Tensor) -> dict[str, tf.Tensor]:
        # A network fails on no images at all: then one is given to it, and nothing of it returned.
        count = tf.shape(squares)[0]
        nothing = tf.zeros((1, *self._frame.shape), tf.uint8)
        found = self._answer(tf.cond(count > 0, lambda: squares, lambda: nothing))
        return {name: value[:count] for name, value in found.items()}


def _naming(outputs: Outputs) -> Naming:
    """Returns the function from probabilities to what is said of them."""
    if outputs.tasks is not None:
        return _naming_tasks(outputs.tasks)
    if outputs.number is not None:
        return lambda values: {"value": values[:, 0]}
    names = tf.constant(outputs.names)

    def of_class(probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
        top, ids = tf.math.top_k(probabilities, min(TOP_CLASSES, len(outputs.names)))
        class_id = tf.argmax(probabilities, axis=1)
        return {
            "class_id": class_id,
            "label": tf.gather(names, class_id),
            "top_k_probabilities": top,
            "top_k_class_ids": tf.cast(ids, tf.int64),
            "top_k_labels": tf.gather(names, ids),
        }

    if outputs.thresholds is None:
        return of_class
    least = tf.constant(outputs.thresholds, tf.float32)

    def of_labels(probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
        chosen = probabilities >= least
        return {"chosen": chosen, "labels": tf.where(chosen, names, "")}

    return of_labels


def _naming_tasks(tasks: Tasks) -> Naming:
    """Returns the function from the probabilities of several tasks to what is said of each."""

    def of_tasks(probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
        said = {}
        for (task, columns), own in zip(tasks.columns.items(), tasks.classes, strict=True):
            shares = probabilities[:, columns]
            class_id = tf.argmax(shares, axis=1)
            said[f"{task}_probabilities"] = shares
            said[f"{task}_class_id"] = class_id
            said[f"{task}_label"] = tf.gather(tf.constant(own), class_id)
        return said

    return of_tasks


def _answer(whole: keras.Model, naming: Naming, careful: CautionGraph | None, frame: Frame) -> Any:
    """Returns a concrete function of images in a frame, uint8, to all that is known of them.

    One function, so that the network is traced, saved and loaded once for all signatures.

    Args:
        whole: See `with_features`.
        naming: What is said of its probabilities.
        careful: What else is said; None for nothing.
        frame: What it takes.
    """

    def answer(images: tf.Tensor) -> dict[str, tf.Tensor]:
        found = whole(tf.cast(images, tf.float32), training=False)
        more = {} if careful is None else careful(found["features"], found["probabilities"])
        return {**found, **naming(found["probabilities"]), **more}

    images = tf.TensorSpec((None, *frame.shape), tf.uint8)
    return traced(answer).get_concrete_function(images)


def _without_features(answer: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Returns what a signature gives: a number is no probability."""
    left_out = ("features", "probabilities") if "value" in answer else ("features",)
    return {name: value for name, value in answer.items() if name not in left_out}
