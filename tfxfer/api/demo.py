"""`demo`: a local page on which a model answers."""

import pathlib
from collections.abc import Callable

from tfxfer.api.export import export
from tfxfer.api.modality import by_model
from tfxfer.config.frame import RGB, in_words
from tfxfer.data.image.failures import READ_ERRORS
from tfxfer.data.seen import BoundSource
from tfxfer.errors import TfxferError, UsageError
from tfxfer.exporting.hosting.writing import write_hosted
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.inference.loading import load
from tfxfer.showing.address import LOOPBACK
from tfxfer.showing.images.answering import Answerer
from tfxfer.showing.images.corrections import Corrections
from tfxfer.showing.images.mistakes import Mistake, most_confident_mistakes
from tfxfer.showing.images.nearest import NearestImages
from tfxfer.showing.images.replies import Shown
from tfxfer.showing.process import Page, open_page
from tfxfer.system.files import why_unwritable
from tfxfer.system.isolation import isolated
from tfxfer.system.run_layout import RunDirectory


@by_model
def demo(
    model: str | pathlib.Path,
    *,
    host: str = LOOPBACK,
    port: int = 7860,
    space: str | pathlib.Path | None = None,
    docker: str | pathlib.Path | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Serves a page on which a model answers about images, until Ctrl-C.

    Images are uploaded, pasted or taken with the camera; nothing leaves the machine. For a run the
    page has its most confident mistakes as examples, and keeps corrected images in the run.

    With `space` or `docker` no page is served: the model is written as a folder that runs elsewhere
    without tfxfer.

    Args:
        model: A run's directory, a `.keras` file with `classes.txt` next to it, or a SavedModel
            published by `tfxfer export`.
        host: Interface to listen on. Others than loopback need the token in the printed address.
        port: Port to listen on; 0 takes a free one.
        space: Folder to create for a Hugging Face Space.
        docker: Folder to create for a container with TensorFlow Serving.
        say: Called with the address, and with each note.

    Raises:
        UsageError: The model does not exist, the port is in use, Gradio is not installed, or a
            folder is not empty.
        ExportError: A folder cannot be written.
        InterruptionError: It was ended.

    Examples:
        >>> import tfxfer
        >>> tfxfer.demo("runs/photos")  # doctest: +SKIP
        Open http://127.0.0.1:7860/ in a browser. Ctrl-C ends the demo.
    """
    if space is not None or docker is not None:
        write_hosted(model, export, say, space=space, docker=docker)
        return
    with open_page(host, port) as page:
        answer_on(model, page, say=say)


@by_model
def answer_on(model: str | pathlib.Path, page: Page, *, say: Callable[[str], None] = print) -> None:
    """Answers about images on a page that was opened before; see `demo`."""
    shown = what_is_shown(load(model), say)
    try:
        page.show(shown.layout)
        page.say_where(say)
        shown.answerer.warm_up()
        if shown.nearest is not None:
            shown.nearest.start()
        page.reply(shown.reply)
    finally:
        if shown.nearest is not None:
            shown.nearest.stop()


@isolated
def what_is_shown(trained: TrainedClassifier, say: Callable[[str], None]) -> Shown:
    """Returns what the page of a classifier shows; what needs a run's data only where they are.

    Args:
        trained: The classifier.
        say: Called with each note on what is missing.
    """
    if trained.outputs.number is not None:
        raise UsageError(
            f"The demo shows probabilities of classes, but '{trained.path}' predicts the number "
            f"'{trained.outputs.number.name}'. Use `tfxfer predict`."
        )
    if trained.frame.channels not in (1, RGB):
        raise UsageError(
            f"The demo shows RGB or gray images, but '{trained.path}' takes images of "
            f"{in_words(trained.frame.channels)}. Use `tfxfer predict`."
        )
    answerer = Answerer(trained)
    if trained.config is None:
        return Shown(str(trained.path.name), answerer)
    run = RunDirectory(trained.path.parent)
    if trained.outputs.special:
        say(f"Examples and corrections are not available for {trained.outputs.special} models.")
        return Shown(run.path.resolve().name, answerer)
    source = _source(trained, say)
    corrections = None
    why = why_unwritable(run.path)
    if why is None:
        corrections = Corrections(run, source, trained.seen)
    else:
        say(f"Corrections cannot be saved: {why}.")
    mistakes = [] if source is None else _mistakes(run, source, say)
    nearest = None if source is None else NearestImages(trained, source)
    return Shown(run.path.resolve().name, answerer, mistakes, nearest, corrections)


def _source(trained: TrainedClassifier, say: Callable[[str], None]) -> BoundSource | None:
    """Returns the data of a run; None if they are not available."""
    try:
        return trained.open_source()
    except TfxferError as error:
        say(f"There are no examples. {error}")
        return None


def _mistakes(run: RunDirectory, source: BoundSource, say: Callable[[str], None]) -> list[Mistake]:
    """Returns the most confident mistakes of a run; none if their files cannot be read."""
    try:
        return most_confident_mistakes(run, source)
    except READ_ERRORS:
        say("There are no examples: the files of some mistakes cannot be read.")
        return []
