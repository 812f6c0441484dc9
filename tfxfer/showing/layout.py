"""What is on the page of a model. The page is made without TensorFlow, in a process of its own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """What is on a page before the first image, or text.

    Attributes:
        title: Of the page.
        heading: HTML.
        empty: HTML in place of an answer.
        can_explain: Whether answers have a heat map.
        class_names: What an example can be corrected to; none if corrections are not kept.
        examples: Contents of images to try.
        texts: Texts to try.
        most_characters: Of a text; None if the page is for images.
    """

    title: str
    heading: str
    empty: str
    can_explain: bool
    class_names: tuple[str, ...] = ()
    examples: tuple[bytes, ...] = ()
    texts: tuple[str, ...] = ()
    most_characters: int | None = None
