"""Whether KerasHub is there, which has the tokenizer of an encoder. It is not imported."""

from tfxfer.errors import UsageError
from tfxfer.models.foreign.kerashub import EXTRA, installed_folder


def check_kerashub(name: str) -> None:
    """Raises a UsageError unless KerasHub is installed.

    Args:
        name: What needs it: an encoder or the file of a model.
    """
    if installed_folder() is None:
        raise UsageError(
            f"'{name}' needs the tokenizer of KerasHub, which is not installed: pip install "
            f"'tfxfer[{EXTRA}]'. It brings TensorFlow Text, of 200 MB."
        )
