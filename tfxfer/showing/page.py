"""The page of the demo, built of Gradio's components.

Nothing of it loads from other servers: the fonts are the system's, and Gradio counts no visits.
"""

import contextlib
import importlib.util
import os
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfxfer.errors import DataError, TfxferError, UsageError
from tfxfer.showing import markup
from tfxfer.showing.answering import Answer, Answerer, read_content
from tfxfer.showing.corrections import Corrections
from tfxfer.showing.mistakes import Mistake
from tfxfer.showing.nearest import NearestImages

_CSS = pathlib.Path(__file__).with_name("demo.css")

_FONTS = ("system-ui", "sans-serif")
_FONTS_OF_CODE = ("ui-monospace", "monospace")

# One image is answered at a time: TensorFlow uses all cores for it.
_ONE_BY_ONE = {"concurrency_limit": 1, "concurrency_id": "model"}

# The heat map is mixed by the browser, so that it follows the slider at once.
_MIX = "value => { document.documentElement.style.setProperty('--demo-heat', value); }"

# A file of 100 million pixels with alpha and 16 bits, uncompressed, has 800 MB.
_MAX_UPLOAD = "1gb"


@dataclass(frozen=True)
class Shown:
    """What a page shows.

    Attributes:
        title: Name of the model.
        answerer: Answers about images.
        mistakes: Examples to try.
        nearest: Finds training images that are near to an image; None if they are not available.
        corrections: Takes corrected images; None if they are not kept.
    """

    title: str
    answerer: Answerer
    mistakes: Sequence[Mistake] = ()
    nearest: NearestImages | None = None
    corrections: Corrections | None = None


def check_gradio() -> None:
    """Raises a UsageError if Gradio, which is an extra, is not installed."""
    if importlib.util.find_spec("gradio") is None:
        raise UsageError("The demo needs the package 'gradio': pip install 'tfxfer[demo]'.")


def _import_gradio(uploads: pathlib.Path) -> Any:
    """Returns Gradio, which sends nothing and keeps its files in one folder."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    os.environ["GRADIO_EXAMPLES_CACHE"] = str(uploads / "examples")
    import gradio

    return gradio


def make_page(shown: Shown, uploads: pathlib.Path) -> Any:
    """Returns the page as an application for a web server (ASGI).

    Args:
        shown: What it shows.
        uploads: Folder for uploaded files.
    """
    gradio = _import_gradio(uploads)
    import fastapi

    with gradio.Blocks(title=shown.title, analytics_enabled=False) as blocks:
        _lay_out(gradio, shown, uploads)
    for block in blocks.blocks.values():
        _take_uploads_only(gradio, block, uploads)
    blocks.is_running = True  # else an SVG that is uploaded is served as ours, with its scripts
    theme = gradio.themes.Default(font=_FONTS, font_mono=_FONTS_OF_CODE)
    return gradio.mount_gradio_app(
        fastapi.FastAPI(openapi_url=None),
        blocks,
        "/",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        show_error=True,
        max_file_size=_MAX_UPLOAD,
        theme=theme,
        css=_CSS.read_text("utf-8"),
    )


def _lay_out(gradio: Any, shown: Shown, uploads: pathlib.Path) -> None:
    """Adds the components of the page, and what they do."""
    answerer = shown.answerer
    about = f"Drop an image to classify it into one of {len(answerer.trained.class_names):,} "
    about += "classes. Images stay on the machine that runs this page."
    gradio.HTML(markup.heading(shown.title, about))
    with gradio.Row():
        with gradio.Column():
            image = _image(gradio)
            if shown.mistakes:
                files = _written(shown.mistakes, uploads)
                gradio.Examples(files, image, label="Most confident mistakes", cache_examples=False)
        with gradio.Column():
            classes = gradio.HTML(markup.NO_ANSWER, elem_id="demo-classes")
            seen = gradio.HTML("", elem_id="demo-seen")
            if answerer.can_explain:
                slider = gradio.Slider(
                    0, 1, 0.5, step=0.05, label="Strength of Grad-CAM", buttons=[]
                )
                slider.change(None, slider, None, js=_MIX, api_visibility="private")
            if shown.corrections is not None:
                _add_corrections(gradio, answerer, shown.corrections, image)
            near = gradio.HTML("", elem_id="demo-near")
    image.change(
        lambda path: _answer(shown, path),
        image,
        [classes, seen, near],
        show_progress="minimal",
        api_name="answer",
        **_ONE_BY_ONE,
    )


def _image(gradio: Any) -> Any:
    """Returns the component that takes an image, whatever it is, as a file."""
    image = gradio.Image(
        label="Image",
        sources=["upload", "clipboard", "webcam"],
        type="filepath",
        height=320,
        buttons=[],
        elem_id="demo-image",
        webcam_options=gradio.WebcamOptions(mirror=False),
    )
    # Gradio would open it with Pillow first.
    image.preprocess = lambda payload: None if payload is None else payload.path
    return image


def _add_corrections(gradio: Any, answerer: Answerer, corrections: Corrections, image: Any) -> None:
    """Adds what keeps an image with its right class."""
    names = list(answerer.trained.class_names)
    label = gradio.Dropdown(names, value=None, label="This is a ...", elem_id="demo-label")
    label.preprocess = lambda chosen: chosen  # `_keep` checks it, and answers with a sentence
    button = gradio.Button("Save as correction", elem_id="demo-keep")
    kept = gradio.HTML("", elem_id="demo-kept")

    def keep(path: str | None, label: str | None) -> str:
        return _keep(answerer, corrections, path, label)

    button.click(keep, [image, label], kept, api_name="keep", **_ONE_BY_ONE)
    # Whoever opens the page later sees those that are there by then.
    gradio.on(None, lambda: _count(corrections), None, kept, api_visibility="private")


def _answer(shown: Shown, path: str | None) -> tuple[str, str, str]:
    """Returns what the page shows of an upload: its classes, the image, and those near to it."""
    if path is None:
        return markup.NO_ANSWER, "", ""
    try:
        content = read_content(path)
        with shown.nearest.paused() if shown.nearest else contextlib.nullcontext():
            answer = shown.answerer.answer(content)
    except DataError as error:
        return markup.refusal(f"This file cannot be classified: {error}."), "", ""
    except TfxferError as error:
        return markup.refusal(str(error)), "", ""
    label = next((one.label for one in shown.mistakes if one.content == content), None)
    near = "" if shown.nearest is None else _near(shown.nearest, answer)
    return markup.bars(answer, label), markup.image_with_heat(answer), near


def _near(nearest: NearestImages, answer: Answer) -> str:
    """Returns what the page shows of the training images near to an image."""
    if nearest.is_computing:
        return markup.saying(
            "The features of the training images are still being computed. After that, each image "
            "is shown with its nearest ones."
        )
    return markup.nearest(nearest.of(answer.square), len(nearest))


def _keep(answerer: Answerer, corrections: Corrections, path: str | None, label: str | None) -> str:
    """Keeps an upload with its class, and returns what the page says then."""
    if path is None:
        return markup.refusal("There is no image to save. Upload one first.")
    if label not in answerer.trained.class_names:
        return markup.refusal("Choose the correct class first.")
    try:
        content = read_content(path)
        answerer.answer(content)  # what cannot be decoded is not kept
        remark = corrections.keep(content, label)
        return _count(corrections, f"Saved as '{label}'.", remark)
    except DataError as error:
        return markup.refusal(f"This file was not saved: {error}.")
    except TfxferError as error:
        return markup.refusal(f"The correction was not saved. {error}")


def _count(corrections: Corrections, *before: str) -> str:
    """Returns how many corrections there are, and how to train with them."""
    try:
        number, command = len(corrections.labels()), corrections.command()
    except TfxferError as error:
        return markup.refusal(str(error))
    if not number:
        return markup.saying("If the model is wrong, choose the correct class and save it.")
    many = "There is 1 correction" if number == 1 else f"There are {number:,} corrections"
    told = f"{many} in '{corrections.path}'."
    if command:
        told += " To train with the data of the run and these:"
    else:
        told += " The data of the run are not files, so add them to your data by hand."
    return markup.saying(" ".join([*filter(None, before), told]), command)


def _written(mistakes: Sequence[Mistake], uploads: pathlib.Path) -> list[list[str]]:
    """Writes the examples where Gradio may read them, and returns their paths."""
    folder = uploads / "mistakes"
    folder.mkdir(exist_ok=True)
    paths = []
    for number, mistake in enumerate(mistakes, start=1):
        path = folder / f"{number}.image"
        path.write_bytes(mistake.content)
        paths.append([str(path)])
    return paths


def _take_uploads_only(gradio: Any, block: Any, uploads: pathlib.Path) -> None:
    """Makes a component refuse files that were not uploaded.

    Gradio takes any path and downloads any address that a request names, unless `launch` started
    it.
    """
    if not hasattr(block, "async_move_resource_to_block_cache"):
        return
    folder = uploads.resolve()

    async def move(path: Any) -> str | None:
        if path is None:
            return None
        if not pathlib.Path(path).resolve().is_relative_to(folder):
            raise gradio.Error("Only uploaded files are read.", print_exception=False)
        return str(path)

    block.async_move_resource_to_block_cache = move
