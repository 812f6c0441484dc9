"""A SavedModel that serves exactly what was evaluated, published only once it is known to agree."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import tensorflow as tf

from tfxfer.errors import ExportError
from tfxfer.images import decode_and_resize, resize
from tfxfer.run_directory import classes_file, new_version, publish_version, read_class_names

# Served and trained probabilities may differ by this much: float32 arithmetic in another order.
_TOLERANCE = 1e-5


def export_saved_model(
    model: keras.Model,
    model_path: pathlib.Path,
    directory: pathlib.Path,
    encoded_images: list[bytes],
) -> pathlib.Path:
    """Returns the new version directory of a SavedModel that TensorFlow Serving loads.

    `serving_default` takes `image_bytes`, a batch of JPEG, PNG, BMP or GIF files; `pixels` takes
    `pixels`, uint8 RGB of shape (batch, height, width, 3) and any size. Both give `probabilities`,
    (batch, num_classes), `class_id`, (batch,), and `label`, (batch,). Decoding and resizing are the
    functions used in training.

    The version is written beside its place, loaded again, compared with the `.keras` model on real
    images, and only then renamed to the next free integer.

    Args:
        model: A classifier that gives probabilities.
        model_path: The `.keras` file of it, with its `classes.txt` beside.
        directory: Where the versions of this model are.
        encoded_images: Image files for the comparison, at least one.

    Raises:
        ExportError: The export cannot be written, or differs from the model.
    """
    labels = read_class_names(classes_file(model_path))
    try:
        with new_version(directory) as temporary:
            if keras.backend.backend() == "tensorflow":
                write_saved_model(model, labels, temporary)
            else:
                _write_in_tensorflow(model_path, temporary)
            _check(model, temporary, encoded_images)
            return publish_version(temporary, directory)
    except (OSError, tf.errors.OpError) as error:
        raise ExportError(f"Cannot write the export to '{directory}': {error}.") from error


def write_saved_model(
    model: keras.Model, class_names: tuple[str, ...], directory: pathlib.Path
) -> None:
    """Writes the SavedModel of a classifier; the Keras backend must be TensorFlow.

    Args:
        model: Images in [0, 255] to probabilities.
        class_names: In the order of the model's outputs.
        directory: An empty directory.
    """
    labels = tf.constant(class_names)
    size = model.input_shape[1]
    square = tf.TensorSpec((size, size, 3), tf.uint8)

    def answer(images: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = model(tf.cast(images, tf.float32), training=False)
        class_id = tf.argmax(probabilities, axis=1)
        return {
            "probabilities": probabilities,
            "class_id": class_id,
            "label": tf.gather(labels, class_id),
        }

    # One function of one size, so that the network is traced, saved and loaded once for both.
    shared = tf.function(answer, [tf.TensorSpec((None, size, size, 3), tf.uint8)])

    def from_bytes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return shared(  # type: ignore[no-any-return]
            tf.map_fn(lambda x: decode_and_resize(x, size), image_bytes, fn_output_signature=square)
        )

    def from_pixels(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return shared(  # type: ignore[no-any-return]
            tf.map_fn(lambda x: resize(x, size), pixels, fn_output_signature=square)
        )

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serving_default", from_bytes, [tf.TensorSpec((None,), tf.string, name="image_bytes")]
    )
    archive.add_endpoint(
        "pixels",
        from_pixels,
        [tf.TensorSpec((None, None, None, 3), tf.uint8, name="pixels")],
    )
    archive.write_out(str(directory), verbose=False)


def _write_in_tensorflow(model_path: pathlib.Path, directory: pathlib.Path) -> None:
    """Writes the SavedModel in another process, whose Keras backend is TensorFlow."""
    code = (
        "import pathlib, sys\n"
        "from tfxfer.export import write_saved_model\n"
        "from tfxfer.trained import load_trained\n"
        "trained = load_trained(sys.argv[1])\n"
        "write_saved_model(trained.model, trained.class_names, pathlib.Path(sys.argv[2]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(model_path), str(directory)],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ExportError(f"TensorFlow could not write the export:\n{done.stderr.strip()}")


def _check(model: keras.Model, directory: pathlib.Path, encoded_images: list[bytes]) -> None:
    """Raises an ExportError unless the SavedModel answers as the model does, one by one and all."""
    size = model.input_shape[1]
    images = np.stack([decode_and_resize(encoded, size).numpy() for encoded in encoded_images])
    expected = np.asarray(model(images.astype("float32"), training=False))
    serve = tf.saved_model.load(str(directory)).signatures["serving_default"]
    together = serve(image_bytes=tf.constant(encoded_images))["probabilities"].numpy()
    singly = [
        serve(image_bytes=tf.constant([encoded]))["probabilities"].numpy()
        for encoded in encoded_images
    ]
    for served in (together, np.concatenate(singly)):
        difference = float(np.max(np.abs(served - expected)))
        if not difference <= _TOLERANCE:
            raise ExportError(
                f"The export answers differently from the model (probabilities differ by up to "
                f"{difference:.2g}, allowed is {_TOLERANCE:g}); it was not published."
            )
