"""The answers of a model of images as HTML. All text is escaped: class names are data."""

import base64
import html
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfxfer.config.frame import FitImages
from tfxfer.reporting.thumbnails import heat_colors
from tfxfer.runs.scores.caution import CautionRecord
from tfxfer.showing.images.answering import Answer
from tfxfer.showing.images.nearest import NearImage
from tfxfer.showing.markup import ranked

# What of an image the model sees.
_SEEN: Mapping[FitImages, str] = {
    "crop": "the central part",
    "stretch": "all of it, stretched",
    "pad": "all of it, with gray around",
}


def bars(answer: Answer, label: str | None = None) -> str:
    """Returns the classes of an answer with their probabilities as bars.

    Args:
        answer: Of the model.
        label: The class of the image in the run's data, if it is known.
    """
    if answer.tasks:
        return "".join(
            f'<h2 class="demo-task">{html.escape(task)}</h2>{ranked(found, task)}'
            for task, found in answer.tasks.items()
        )
    told = ""
    if answer.thresholds is not None:
        chosen = ", ".join(map(_name, answer.chosen)) or "none"
        told = f'<p class="demo-chosen">Predicted labels: {chosen}</p>'
        told += ranked(answer.ranked, thresholds=answer.thresholds)
    else:
        told = ranked(answer.ranked)
    if label is not None:
        told += f'<p class="demo-quiet">In the data it is labeled {_name(label)}.</p>'
    return told


def doubt(answer: Answer, limits: CautionRecord | None) -> str:
    """Returns what a cautious model says: whether an image is unknown, and its prediction set.

    Args:
        answer: Of the model.
        limits: The thresholds, if they are known.
    """
    if answer.doubt is None:
        return ""
    one = answer.doubt
    measured = f"distance {one.score:.2f}"
    coverage = ""
    if limits is not None:
        measured += f", unknown above {limits.threshold:.2f}"
        coverage = f" ({limits.coverage:.0%} coverage)"
    names = ", ".join(map(_name, one.in_set)) or "no class"
    chosen = f'<p class="demo-quiet">Prediction set{coverage}: {names}.</p>'
    if one.unknown:
        return (
            '<p class="demo-refusal" role="status"><strong>None of these</strong>: unlike the '
            f"training images ({measured}).</p>{chosen}"
        )
    return f'<p class="demo-quiet">Like the training images ({measured}).</p>{chosen}'


def image_with_heat(answer: Answer) -> str:
    """Returns the image as the model sees it, under its heat map if there is one."""
    name, _ = answer.ranked[0]
    layers = f'<img src="{_png_url(answer.square)}" alt="The image as the model sees it">'
    told = f"What the model sees: {_SEEN[answer.fit]}."
    if answer.heat is not None:
        height, width, _ = answer.square.shape
        colors = heat_colors(answer.heat[None], height, width)[0].round().astype(np.uint8)
        layers += (
            f'<img class="demo-heat" src="{_png_url(colors)}" '
            f'alt="Grad-CAM: what is evidence for {html.escape(name)} is bright">'
        )
        told += f" Bright is evidence for {_name(name)} (Grad-CAM)."
    return (
        f'<figure class="demo-image-seen"><div>{layers}</div><figcaption class="demo-quiet">{told}'
        "</figcaption></figure>"
    )


def nearest(images: Sequence[NearImage], searched: int) -> str:
    """Returns the nearest training images, or nothing if there are none.

    Args:
        images: The nearest first.
        searched: Of how many training images.
    """
    if not images:
        return ""
    items = "".join(
        f'<li><img src="{_png_url(image.pixels)}" alt=""><span class="demo-class">'
        f'{html.escape(image.label)}</span> <span class="demo-share">{image.similarity:.2f}</span>'
        "</li>"
        for image in images
    )
    return (
        f'<p class="demo-quiet">Nearest of {searched:,} training images, by cosine '
        f'similarity of the features:</p><ol class="demo-nearest">{items}</ol>'
    )


def _name(text: str) -> str:
    return f"<strong>{html.escape(text)}</strong>"


def _png_url(pixels: npt.NDArray[np.uint8]) -> str:
    content = tf.io.encode_png(pixels).numpy()
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
