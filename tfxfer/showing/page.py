"""The page of the demo, built of Gradio's components.

Nothing of it loads from other servers: the fonts are the system's, and Gradio counts no visits.
"""

import pathlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import fastapi
import gradio

from tfxfer.showing.layout import Layout

# Asks the model: the name of a request and its arguments in, HTML out.
Ask = Callable[..., tuple[str, ...]]

_CSS = pathlib.Path(__file__).with_name("demo.css")

_FONTS = ("system-ui", "sans-serif")
_FONTS_OF_CODE = ("ui-monospace", "monospace")

# One image is answered at a time: TensorFlow uses all cores for it.
_ONE_BY_ONE = {"concurrency_limit": 1, "concurrency_id": "model"}

# The heat map is mixed by the browser, so that it follows the slider at once.
_MIX = "value => { document.documentElement.style.setProperty('--demo-heat', value); }"

# Characters of a text by which one tells examples apart.
_MOST_OF_EXAMPLE = 80

# A file of 100 million pixels with alpha and 16 bits, uncompressed, has 800 MB.
_MAX_UPLOAD = "1gb"


def make_page(layout: Layout, uploads: pathlib.Path, ask: Ask) -> Any:
    """Returns the page as an application for a web server (ASGI).

    Args:
        layout: What is on it.
        uploads: Folder for uploaded files.
        ask: Asks the model.
    """
    with gradio.Blocks(title=layout.title, analytics_enabled=False) as blocks:
        if layout.most_characters is None:
            _lay_out(layout, uploads, ask)
        else:
            _lay_out_for_texts(layout, ask)
    for block in blocks.blocks.values():
        _take_uploads_only(block, uploads)
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


def _lay_out(layout: Layout, uploads: pathlib.Path, ask: Ask) -> None:
    """Adds the components of the page, and what they do."""
    gradio.HTML(layout.heading)
    with gradio.Row():
        with gradio.Column():
            image = _image()
            if layout.examples:
                files = _written(layout.examples, uploads)
                gradio.Examples(files, image, label="Most confident mistakes", cache_examples=False)
        with gradio.Column():
            classes = gradio.HTML(layout.empty, elem_id="demo-classes")
            seen = gradio.HTML("", elem_id="demo-seen")
            if layout.can_explain:
                slider = gradio.Slider(
                    0, 1, 0.5, step=0.05, label="Strength of Grad-CAM", buttons=[]
                )
                slider.change(None, slider, None, js=_MIX, api_visibility="private")
            if layout.class_names:
                _add_corrections(layout.class_names, image, ask)
            near = gradio.HTML("", elem_id="demo-near")
    image.change(
        lambda path: ask("answer", path),
        image,
        [classes, seen, near],
        show_progress="minimal",
        api_name="answer",
        **_ONE_BY_ONE,
    )


def _lay_out_for_texts(layout: Layout, ask: Ask) -> None:
    """Adds the components of a page for texts, and what they do."""
    gradio.HTML(layout.heading)
    with gradio.Row():
        with gradio.Column():
            text = gradio.Textbox(
                label="Text",
                lines=8,
                max_lines=20,
                max_length=layout.most_characters,
                elem_id="demo-text",
                buttons=[],
            )
            text.preprocess = lambda payload: payload  # the model checks it
            button = gradio.Button("Classify", variant="primary", elem_id="demo-classify")
            examples = gradio.Column()
        with gradio.Column():
            classes = gradio.HTML(layout.empty, elem_id="demo-classes")
            seen = gradio.HTML("", elem_id="demo-seen")
            if layout.class_names:
                _add_corrections(layout.class_names, text, ask)
    asking = {"fn": lambda words: ask("answer", words), "inputs": text, "outputs": [classes, seen]}
    gradio.on(
        [button.click, text.submit],
        show_progress="minimal",
        api_name="answer",
        **asking,
        **_ONE_BY_ONE,
    )
    if layout.texts:
        with examples:
            gradio.Examples(
                [[words] for words in layout.texts],
                label="Most confident mistakes",
                example_labels=[_beginning(words) for words in layout.texts],
                cache_examples=False,
                run_on_click=True,
                api_visibility="private",
                **asking,
            )


def _beginning(text: str) -> str:
    """Returns the beginning of a text, in a line."""
    line = " ".join(re.sub(r"<br\s*/?>", " ", text).split())
    return line if len(line) <= _MOST_OF_EXAMPLE else f"{line[:_MOST_OF_EXAMPLE]}..."


def _image() -> Any:
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


def _add_corrections(names: Sequence[str], example: Any, ask: Ask) -> None:
    """Adds what keeps an image or a text with its right class."""
    label = gradio.Dropdown(list(names), value=None, label="This is a ...", elem_id="demo-label")
    label.preprocess = lambda chosen: chosen  # the model checks it, and replies with a sentence
    button = gradio.Button("Save as correction", elem_id="demo-keep")
    kept = gradio.HTML("", elem_id="demo-kept")

    def keep(shown: Any, label: Any) -> str:
        return ask("keep", shown, label)[0]

    button.click(keep, [example, label], kept, api_name="keep", **_ONE_BY_ONE)
    # Whoever opens the page later sees those that are there by then.
    gradio.on(None, lambda: ask("count")[0], None, kept, api_visibility="private")


def _written(contents: Sequence[bytes], uploads: pathlib.Path) -> list[list[str]]:
    """Writes the examples where Gradio may read them, and returns their paths."""
    folder = uploads / "mistakes"
    folder.mkdir(exist_ok=True)
    paths = []
    for number, content in enumerate(contents, start=1):
        path = folder / f"{number}.image"
        path.write_bytes(content)
        paths.append([str(path)])
    return paths


def _take_uploads_only(block: Any, uploads: pathlib.Path) -> None:
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
