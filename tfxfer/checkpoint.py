"""The state that makes an interrupted run go on from its last epoch."""

import pathlib
import warnings

import keras

from tfxfer.errors import RunError
from tfxfer.run_directory import replacing


def save_checkpoint(model: keras.Model, path: pathlib.Path) -> None:
    """Writes the weights of a compiled model and the state of its optimizer into one file.

    What an epoch does depends on these and on the epoch's number alone: the order of the data and
    their augmentation are made from the seed (see `pipeline.training_batches`), and the number
    follows from the optimizer's count of steps.

    Args:
        model: A compiled model, in training.
        path: A `.weights.h5` file; what it held before is replaced as a whole.
    """
    with replacing(path) as temporary:
        model.save_weights(temporary)


def restore_checkpoint(model: keras.Model, path: pathlib.Path) -> int:
    """Loads what `save_checkpoint` wrote and returns the number of steps taken until then.

    Args:
        model: The same model, compiled with the same optimizer.
        path: The file.

    Raises:
        RunError: The file is damaged or that of another model.
    """
    model.optimizer.build(model.trainable_variables)
    try:
        with warnings.catch_warnings():
            # Keras warns where it leaves a layer as it was, and goes on.
            warnings.simplefilter("error")
            model.load_weights(path)
    except (OSError, ValueError, KeyError, UserWarning) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RunError(
            f"Cannot go on from the checkpoint '{path}': it is damaged, or another model's "
            f"({reason}). Delete it to begin this run anew."
        ) from None
    return int(keras.ops.convert_to_numpy(model.optimizer.iterations))
