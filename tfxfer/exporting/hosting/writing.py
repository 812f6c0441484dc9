"""Writes an export as folders that run it elsewhere."""

import pathlib
import tempfile
from collections.abc import Callable

from tfxfer.config.frame import RGB, in_words
from tfxfer.config.paths import user_path
from tfxfer.errors import UsageError
from tfxfer.exporting.clients import facts_of
from tfxfer.exporting.hosting.container import image_tag, write_container
from tfxfer.exporting.hosting.folders import check_new
from tfxfer.exporting.hosting.space import write_space
from tfxfer.runs.versions import newest_version
from tfxfer.system.names import in_shell
from tfxfer.system.run_layout import EXTRA_FOLDER, RunDirectory


def write_hosted(
    model: str | pathlib.Path,
    export: Callable[..., pathlib.Path],
    say: Callable[[str], None],
    *,
    space: str | pathlib.Path | None = None,
    docker: str | pathlib.Path | None = None,
) -> None:
    """Writes a model as a Hugging Face Space, as a container, or both.

    Args:
        model: A run's directory, a `.keras` file, or a published SavedModel, which is copied.
        export: The verb, which exports the first two.
        say: Called with each folder and the command that runs it.
        space: Folder of the Space.
        docker: Folder of the container.

    Raises:
        UsageError: There is no such model, or a folder is not empty.
        ExportError: The export fails, or a folder cannot be written.
    """
    to_space = None if space is None else check_new(space, "space")
    to_docker = None if docker is None else check_new(docker, "docker")
    if to_space is not None and to_space == to_docker:
        raise UsageError("--space and --docker are the same folder. Choose two.")
    path = user_path(model)
    with tempfile.TemporaryDirectory(prefix="tfxfer-export-") as scratch:
        version = newest_version(path).resolve()
        if not (version / "saved_model.pb").is_file():
            version = export(path, export_dir=scratch, say=say)
        if to_docker is not None:
            _check_requests(version)
        if to_space is not None and "target" in facts_of(version):
            raise UsageError(
                f"--space shows probabilities of classes, but '{path}' predicts a number. Use "
                "--docker, or the export itself."
            )
        channels = facts_of(version).get("channels", RGB)
        if to_space is not None and channels not in (1, RGB):
            raise UsageError(
                f"--space shows RGB or gray images, but '{path}' takes images of "
                f"{in_words(channels)}. Use --docker, or the export itself."
            )
        if to_space is not None:
            write_space(version, to_space, _card(path))
            app = in_shell(to_space / "app.py")
            say(f"{to_space}: a Hugging Face Space; here, `python {app}` runs it")
        if to_docker is not None:
            write_container(version, to_docker)
            tag = image_tag(version.parent.name)
            say(f"{to_docker}: a container; `docker build -t {tag} {in_shell(to_docker)}` makes it")


def _check_requests(version: pathlib.Path) -> None:
    """Raises a UsageError if an export lacks the request to try."""
    if not (version / EXTRA_FOLDER).is_dir():
        raise UsageError(
            f"'{version}' has no folder '{EXTRA_FOLDER}' with the request to try. Give --docker "
            "the run, not the export."
        )


def _card(path: pathlib.Path) -> str:
    """Returns the model card of a run, or nothing: other folders have a README of their own."""
    run = RunDirectory(path if path.is_dir() else path.parent)
    has_card = run.config.is_file() and run.model_card.is_file()
    return run.model_card.read_text("utf-8") if has_card else ""
