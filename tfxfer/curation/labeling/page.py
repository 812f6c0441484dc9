"""The page of the images to label next: a thumbnail of each, with what the model says."""

import os

from tfxfer.config.frame import Frame
from tfxfer.curation.labeling.choosing import places_of_next
from tfxfer.curation.labeling.reading import Unlabeled
from tfxfer.curation.labeling.result import NextImages
from tfxfer.data.image.dataset import Images
from tfxfer.reporting.html.filling import fill
from tfxfer.reporting.thumbnails import data_urls, read_thumbnails

_SIDE = 160

# As many as the page shows: about 5 MB.
_SHOWN = 500


def render(result: NextImages, found: Unlabeled, frame: Frame) -> str:
    """Returns the page as self-contained HTML.

    Args:
        result: The images to label next.
        found: All images without a label.
        frame: What the model takes.
    """
    images = Images(found.split, frame, memory_bytes=0)
    urls = data_urls(read_thumbnails(images, places_of_next(found, result)[:_SHOWN], _SIDE))
    return fill(
        "label_next.html",
        title="Images to label next",
        result=result,
        tiles=[
            {"number": number, "url": url, "name": os.path.basename(one.path), "image": one}
            for number, (url, one) in enumerate(zip(urls, result.images, strict=False), start=1)
        ],
    )
