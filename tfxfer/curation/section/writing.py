"""Writes what the features say about the data of a fit into its run, where reports read it."""

import shlex
from collections.abc import Iterable, Sequence

import numpy as np

from tfxfer.config.schema import FitConfig
from tfxfer.curation.gallery import Gallery
from tfxfer.curation.section.looking import Looked
from tfxfer.data.contents import Integers
from tfxfer.data.image.order import Number
from tfxfer.reporting.data.section import (
    SHOWN_GROUPS,
    SHOWN_OF_GROUP,
    SHOWN_OUTLIERS,
    SHOWN_SUSPECTS,
)
from tfxfer.reporting.thumbnails import data_urls, read_thumbnails
from tfxfer.system.files import write_json
from tfxfer.system.names import in_shell
from tfxfer.system.run_layout import RunDirectory

# A photograph takes about 4 kB of the page.
_SIDE = 112


def write_findings(run: RunDirectory, looked: Looked, asked: FitConfig) -> None:
    """Writes `data_findings.json`: all that was found, and thumbnails of the most suspicious.

    Args:
        run: The run.
        looked: What was found.
        asked: The settings that the user gave, for the command that examines all images.
    """
    known, gallery = looked.known, looked.known.gallery
    groups = [one.members[:SHOWN_OF_GROUP] for one in looked.groups[:SHOWN_GROUPS]]
    shown = [looked.judged.suspects[:SHOWN_SUSPECTS], looked.outliers.images[:SHOWN_OUTLIERS]]
    content = {
        **looked.findings.as_json(),
        "splits": list(known.split_names),
        "num_known": known.num_known,
        "command": _command(asked),
        "thumbnails": _thumbnails(gallery, [*shown, *groups]),
    }
    write_json(run.data_findings, content)


def _command(asked: FitConfig) -> str:
    """Returns the command that examines all images and lists everything."""
    words: list[str] = []
    for name in ("backbone", "data_dir", "weights", "image_size", "fit_images", "channels"):
        value = getattr(asked, name)
        if value != getattr(FitConfig(), name) and value is not None:
            words += [f"--{name.replace('_', '-')}", shlex.quote(str(value))]
    return " ".join(["tfxfer", "check", in_shell(asked.data), *words, "--output", "check.html"])


def _thumbnails(gallery: Gallery, shown: Sequence[Integers]) -> dict[str, str]:
    """Returns thumbnails as `data:` URLs by the ids of their images."""
    return dict(_each_thumbnail(gallery, np.unique(np.concatenate(shown))))


def _each_thumbnail(gallery: Gallery, wanted: Integers) -> Iterable[tuple[str, str]]:
    for split, images in gallery.images.items():
        numbers = gallery.numbers[wanted[gallery.splits[wanted] == split]]
        urls = data_urls(read_thumbnails(images, numbers, _SIDE))
        for number, url in zip(numbers, urls, strict=True):
            yield images.describe(Number(int(number))), url
