"""The formats for devices: not for texts."""

from typing import Any, NoReturn

from tfxfer.errors import UsageError


def convert(model: Any, kind: str, **_: Any) -> NoReturn:
    """Raises a UsageError: LiteRT and ONNX have no strings to look words up with.

    Args:
        model: The model.
        kind: The format.
    """
    what = {"litert": "LiteRT", "onnx": "ONNX"}.get(kind, kind)
    raise UsageError(
        f"'{model}' takes texts, and its vocabulary is part of it, which {what} cannot hold: "
        "export it as a SavedModel (--format saved_model), or use its 'model.keras'."
    )
