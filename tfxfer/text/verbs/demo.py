"""`demo`: the page is for images; texts are packed to run elsewhere."""

import pathlib
from collections.abc import Callable
from typing import Any, NoReturn

from tfxfer.errors import UsageError
from tfxfer.exporting.hosting.writing import write_hosted
from tfxfer.system.names import in_shell
from tfxfer.text.verbs.export import export


def demo(
    model: Any,
    *,
    space: str | pathlib.Path | None = None,
    docker: str | pathlib.Path | None = None,
    say: Callable[[str], None] = print,
    **_: Any,
) -> None:
    """Packs a model of texts; raises a UsageError that says what else shows its answers.

    Args:
        model: The model.
        space: Folder to create for a Hugging Face Space.
        docker: Folder to create for a container with TensorFlow Serving.
        say: Called with each note.
    """
    if space is None and docker is None:
        answer_on(model)
    write_hosted(model, export, say, space=space, docker=docker)


def answer_on(model: Any, *_: Any, **__: Any) -> NoReturn:
    """Raises a UsageError that says what else shows the answers of a model of texts."""
    raise UsageError(
        f"'{model}' takes texts, and the page of `tfxfer demo` takes images. To try it, type "
        f"texts into `tfxfer predict {in_shell(model)} -`, or write a page with --space."
    )
