"""Brings pages from outside of docs/ and the tutorial into the site, and has links lead to them."""

import json
import pathlib
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = pathlib.Path(__file__).parents[1]

# Page of the site -> file of the repository.
OUTSIDE = {
    "benchmarks.md": "benchmarks/README.md",
    "contributing.md": "CONTRIBUTING.md",
    "architecture.md": "ARCHITECTURE.md",
    "changelog.md": "CHANGELOG.md",
    "resnet10_small.md": "tfxfer/models/backbones/pretrained/resnet10_small.md",
}

NOTEBOOK = ROOT / "docs" / "tutorial.ipynb"

_PLACES = {path: page for page, path in OUTSIDE.items()} | {
    "README.md": "index.md",
    "docs/tutorial.ipynb": "tutorial.md",
}

_LINK = re.compile(r"\]\((?!\w+:|#)([^)#]+)(#[^)]*)?\)")


def on_config(config: Any) -> Any:
    """Puts the tutorial behind the start page."""
    if NOTEBOOK.exists():
        config.nav.insert(1, {"Tutorial": "tutorial.md"})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages."""
    for page, path in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / path).read_text("utf-8")))
    if NOTEBOOK.exists():
        cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
        text = "\n\n".join(part for cell in cells for part in _parts(cell))
        files.append(File.generated(config, "tutorial.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Returns the text of a page as the site needs it.

    Links lead to pages of the site. GitHub wants a pipe in a table's code escaped, and
    Python-Markdown shows the backslash.
    """
    here = page.file.src_uri
    folder = posixpath.dirname(OUTSIDE.get(here, f"docs/{here}"))

    def in_site(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, match[1]))
        return f"]({_PLACES.get(path, path.removeprefix('docs/'))}{match[2] or ''})"

    return _LINK.sub(in_site, markdown).replace(r"\|", "|")


def _parts(cell: Mapping[str, Any]) -> Iterator[str]:
    """Yields a cell of a notebook as Markdown, and what it printed and drew."""
    source = "".join(cell["source"])
    if cell["cell_type"] != "code":
        yield source
        return
    yield f"```python\n{source}\n```"
    for output in cell["outputs"]:
        data = output.get("data", {})
        if "image/png" in data:
            image = "".join(data["image/png"]).replace("\n", "")
            yield f'<img alt="" src="data:image/png;base64,{image}">'
        elif printed := "".join(output.get("text", data.get("text/plain", ""))).rstrip():
            yield f"```text\n{printed}\n```"
