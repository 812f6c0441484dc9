"""`demo` is for images."""

from typing import Any, NoReturn

from tfxfer.errors import UsageError
from tfxfer.system.names import in_shell


def demo(model: Any, **_: Any) -> NoReturn:
    """Raises a UsageError that says what else shows the answers of a model of texts.

    Args:
        model: The model.
    """
    raise UsageError(
        f"'{model}' takes texts, and the page of `tfxfer demo` takes images. To try it, type texts "
        f"into `tfxfer predict {in_shell(model)} -`."
    )
