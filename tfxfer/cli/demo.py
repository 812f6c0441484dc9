"""`demo`: a local page on which a model answers."""

import click

from tfxfer.cli.formatting import Command
from tfxfer.cli.quiet import quiet_import, quiet_libraries
from tfxfer.system import streams


@click.command(
    cls=Command,
    examples=(
        "tfxfer demo runs/photos-mobilenetv2",
        "tfxfer demo runs/photos-mobilenetv2 --space photos-space",
    ),
)
@click.argument("model")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Interface to listen on. With 0.0.0.0, for example, others on the network can use the "
    "page; they need the token in the printed address.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=7860,
    show_default=True,
    help="Port to listen on; 0 chooses a free one.",
)
@click.option(
    "--space",
    metavar="DIRECTORY",
    help="Write a folder that runs as a Hugging Face Space, and serve nothing here.",
)
@click.option(
    "--docker",
    metavar="DIRECTORY",
    help="Write a folder from which Docker builds a container with TensorFlow Serving, and serve "
    "nothing here.",
)
def demo(model: str, host: str, port: int, space: str | None, docker: str | None) -> None:
    """Try a model in the browser, or package a demo to run elsewhere.

    MODEL is a run, a .keras file, or an exported SavedModel. The page takes images: uploaded,
    pasted or from the camera. It shows the most probable classes and Grad-CAM, and keeps corrected
    images in the run, in corrections.csv. Nothing leaves the machine. Ctrl-C ends it.

    The page needs Gradio: pip install 'tfxfer[demo]'.
    """
    if space is None and docker is None:
        # Its process imports Gradio while TensorFlow is imported here.
        from tfxfer.showing.process import open_page

        with open_page(host, port) as page:
            with quiet_import():
                from tfxfer.api.demo import answer_on
            with quiet_libraries():
                answer_on(model, page, say=streams.say)
        return
    with quiet_import():
        from tfxfer.api.demo import demo as show
    with quiet_libraries():
        show(model, space=space, docker=docker, say=streams.say)
