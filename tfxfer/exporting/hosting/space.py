"""A Hugging Face Space: a page that runs an export without tfxfer."""

import importlib.metadata
import json
import pathlib
import re
import shutil
import sys

import tensorflow as tf

from tfxfer.exporting.clients import facts_of
from tfxfer.exporting.hosting.folders import copy_model, new_folder

_APP = pathlib.Path(__file__).with_name("space_app.py")

# The versions of Gradio that the app is tested with.
_GRADIO = "gradio>=6,<7"

# Keys of a model card's metadata that mean the same for a Space.
_KEPT = ("license", "tags")


def write_space(version: pathlib.Path, directory: pathlib.Path, card: str = "") -> None:
    """Writes a folder that runs as a Hugging Face Space, or with `python app.py`.

    `app.py` needs TensorFlow and Gradio only. `requirements.txt` has their versions, `README.md`
    the metadata of the Space and the model card, `model` the SavedModel. Examples of the user's
    data are left out, as most Spaces are public.

    Args:
        version: The directory of a published version of a SavedModel.
        directory: Folder to create.
        card: The model card with its metadata; may be empty.

    Raises:
        ExportError: The folder cannot be written.
    """
    name = version.absolute().parent.name
    with new_folder(directory) as folder:
        copy_model(version, folder / "model")
        shutil.copyfile(_APP, folder / "app.py")
        (folder / "requirements.txt").write_text(_requirements(folder / "model"), "utf-8")
        (folder / "README.md").write_text(_readme(name, card), "utf-8")


def _requirements(model: pathlib.Path) -> str:
    """Returns the packages of the app: TensorFlow of the minor version that wrote the model."""
    major, minor, *_ = tf.__version__.split(".")
    if needed_packages(model):
        # It requires the TensorFlow of its own version.
        return f"tensorflow-text=={major}.{minor}.*\n{_GRADIO}\n"
    # Spaces have no GPU unless they are paid for, and this package is a third of the other's size.
    return f"tensorflow-cpu=={major}.{minor}.*\n{_GRADIO}\n"


def needed_packages(model: pathlib.Path) -> list[str]:
    """Returns what must be imported, besides TensorFlow, before a SavedModel is loaded."""
    return list(facts_of(model).get("needs", ()))


def _readme(name: str, card: str) -> str:
    """Returns the metadata that a Space needs, and the text of the model card below them."""
    found = re.match(r"---\n(.*?)\n---\n(.*)", card, re.DOTALL)
    lines, text = (found[1].splitlines(), found[2]) if found else ([], card)
    facts = {
        "title": name,
        "sdk": "gradio",
        "python_version": f"{sys.version_info.major}.{sys.version_info.minor}",
        "app_file": "app.py",
    }
    version = _gradio_version()
    if version:
        facts["sdk_version"] = version
    kept = [line for line in lines if line.split(":")[0] in _KEPT]
    block = [*(f"{key}: {json.dumps(value)}" for key, value in facts.items()), *kept]
    return "\n".join(["---", *block, "---", "", text.strip() or f"# {name}", ""])


def _gradio_version() -> str | None:
    """Returns the installed version of Gradio, or None. Without it a Space takes the newest."""
    try:
        return importlib.metadata.version("gradio")
    except importlib.metadata.PackageNotFoundError:
        return None
