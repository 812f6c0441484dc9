"""Fills the templates of the reports."""

import datetime
import pathlib
import platform
from typing import Any

import jinja2
import keras
import tensorflow as tf
from markupsafe import Markup

from tfxfer.version import __version__


def fill(template: str, *folders: pathlib.Path, **content: Any) -> str:
    """Renders a template with content, which is escaped, and a footer with date and versions.

    Args:
        template: Name of the template.
        *folders: Folders to find it in, besides that of the reports.
        **content: Variables of the template.
    """
    folder = pathlib.Path(__file__).parents[1]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, folder], encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template(template).render(
        **content,
        style=_asset(folder / "style.css"),
        script=_asset(folder / "page.js"),
        date=datetime.date.today().isoformat(),
        versions=f"tfxfer {__version__}, Keras {keras.__version__} "
        f"(backend {keras.backend.backend()}), TensorFlow {tf.__version__}, Python "
        f"{platform.python_version()}",
    )
    # File names need not be UTF-8, but the page is.
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _asset(path: pathlib.Path) -> Markup:
    """Returns a file of this package, to be embedded without escaping."""
    return Markup(path.read_text("utf-8"))
