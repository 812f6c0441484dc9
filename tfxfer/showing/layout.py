"""What is on the page of a model. The page is made without TensorFlow, in a process of its own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """What is on a page before the first image.

    Attributes:
        title: Of the page.
        heading: HTML.
        empty: HTML in place of an answer.
        can_explain: Whether answers have a heat map.
        class_names: What an image can be corrected to; none if corrections are not kept.
        examples: Contents of images to try.
    """

    title: str
    heading: str
    empty: str
    can_explain: bool
    class_names: tuple[str, ...] = ()
    examples: tuple[bytes, ...] = ()
