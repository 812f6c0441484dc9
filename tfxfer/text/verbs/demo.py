"""`demo` for texts: a local page on which a model answers, with its words marked."""

import pathlib
from collections.abc import Callable

from tfxfer.errors import TfxferError
from tfxfer.exporting.hosting.writing import write_hosted
from tfxfer.showing.address import LOOPBACK
from tfxfer.showing.process import Page, open_page
from tfxfer.system.files import why_unwritable
from tfxfer.system.isolation import isolated
from tfxfer.system.run_layout import RunDirectory
from tfxfer.text.data.source import TextSource
from tfxfer.text.serving.loading import TrainedTexts, load_texts
from tfxfer.text.showing.answering import TextAnswerer
from tfxfer.text.showing.corrections import TextCorrections
from tfxfer.text.showing.mistakes import most_confident_mistakes
from tfxfer.text.showing.replies import ShownTexts
from tfxfer.text.verbs.export import export


def demo(
    model: str | pathlib.Path,
    *,
    host: str = LOOPBACK,
    port: int = 7860,
    space: str | pathlib.Path | None = None,
    docker: str | pathlib.Path | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Serves a page on which a model answers about texts; see `tfxfer.demo`.

    Args:
        model: A run's directory, a `.keras` file with `classes.txt` next to it, or a SavedModel.
        host: Interface to listen on.
        port: Port to listen on; 0 takes a free one.
        space: Folder to create for a Hugging Face Space.
        docker: Folder to create for a container with TensorFlow Serving.
        say: Called with the address, and with each note.
    """
    if space is not None or docker is not None:
        write_hosted(model, export, say, space=space, docker=docker)
        return
    with open_page(host, port) as page:
        answer_on(model, page, say=say)


def answer_on(model: str | pathlib.Path, page: Page, *, say: Callable[[str], None] = print) -> None:
    """Answers about texts on a page that was opened before; see `demo`."""
    shown = what_is_shown(load_texts(model), say)
    page.show(shown.layout)
    page.say_where(say)
    shown.answerer.warm_up()
    page.reply(shown.reply)


@isolated
def what_is_shown(trained: TrainedTexts, say: Callable[[str], None]) -> ShownTexts:
    """Returns what the page of a classifier shows; what needs a run's data only where they are.

    Args:
        trained: The classifier.
        say: Called with each note on what is missing.
    """
    answerer = TextAnswerer(trained)
    if trained.config is None:
        return ShownTexts(trained.path.name, answerer)
    run = RunDirectory(trained.path.parent)
    source = _source(trained, say)
    why, corrections = why_unwritable(run.path), None
    if why is None:
        corrections = TextCorrections(run, source)
    else:
        say(f"Corrections cannot be saved: {why}.")
    mistakes = [] if source is None else most_confident_mistakes(run.predictions, source)
    return ShownTexts(run.path.resolve().name, answerer, mistakes, corrections)


def _source(trained: TrainedTexts, say: Callable[[str], None]) -> TextSource | None:
    """Returns the data of a run; None if they are not available."""
    try:
        return trained.open_source()
    except TfxferError as error:
        say(f"There are no examples. {error}")
        return None
