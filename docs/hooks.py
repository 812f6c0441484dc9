"""Brings pages that are outside of docs/ into the site, and has links lead to them there."""

import pathlib
import posixpath
import re
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

_LINK = re.compile(r"\]\((?!\w+:|#)([^)#]+)(#[^)]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages."""
    for page, path in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / path).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Returns the text of a page with its links as they are in the site."""
    here = page.file.src_uri
    folder = posixpath.dirname(OUTSIDE.get(here, f"docs/{here}"))
    places = {path: name for name, path in OUTSIDE.items()}

    def in_site(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, match[1]))
        name = places.get(path, path.removeprefix("docs/"))
        return f"]({name}{match[2] or ''})"

    return _LINK.sub(in_site, markdown)
