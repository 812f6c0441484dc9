"""A page on which a classifier of images or of texts answers. Needs TensorFlow and Gradio."""

# Copied into each Space as it is, so it imports nothing of the package that it comes from.

import json
import pathlib
import re

import gradio
import tensorflow as tf

FOLDER = pathlib.Path(__file__).parent / "model"

# Files above it are refused before they are decoded.
MAX_UPLOAD = "100mb"

MODEL = tf.saved_model.load(str(FOLDER))
ANSWER = MODEL.signatures["serving_default"]
(INPUT,) = ANSWER.structured_input_signature[1]
FACTS = json.loads((FOLDER / "assets" / "tfxfer.json").read_text("utf-8"))


def class_names() -> list[str]:
    """Returns the class names: one per line, unusual ones as JSON strings."""
    lines = (FOLDER / "assets" / "labels.txt").read_text("utf-8").removesuffix("\n").split("\n")
    return [json.loads(line) if line.startswith('"') else line for line in lines]


NAMES = class_names()


def classify(content: bytes | str) -> dict[str, float]:
    """Returns the probability of each class.

    Args:
        content: Of an image file, or a text.

    Raises:
        ValueError: It cannot be read; the message is a sentence.
    """
    try:
        (probabilities,) = ANSWER(**{INPUT: tf.constant([content])})["probabilities"].numpy()
    except tf.errors.OpError as error:
        reason = re.search(r"cannot be read: ([^\n]*?)\.?\]?(?:\n|$)", error.message)
        told = f": {reason[1].strip()}" if reason else ""
        raise ValueError(f"This image cannot be read{told}.") from None
    return dict(zip(NAMES, probabilities.tolist(), strict=True))


def answer(asked: str | None) -> dict[str, float] | None:
    """Returns what the page shows: of the path of an upload, or of a text."""
    if not asked:
        return None
    try:
        return classify(pathlib.Path(asked).read_bytes() if takes_images() else asked)
    except ValueError as error:
        raise gradio.Error(str(error), print_exception=False) from None


def takes_images() -> bool:
    """Tells whether the model takes images, not texts."""
    return bool(INPUT == "image_bytes")


def question() -> gradio.components.Component:
    """Returns the component that takes an image or a text."""
    if not takes_images():
        return gradio.Textbox(label="Text", lines=5)
    image = gradio.Image(label="Image", type="filepath")
    # The model decodes the file itself, as it did in training. Gradio would decode it with Pillow.
    image.preprocess = lambda payload: None if payload is None else payload.path
    return image


page = gradio.Interface(
    answer,
    question(),
    gradio.Label(label="Probabilities", num_top_classes=5),
    title=FACTS["name"],
    flagging_mode="never",
    # Texts are answered as they are typed in whole, not letter by letter.
    live=takes_images(),
)

if __name__ == "__main__":
    page.launch(max_file_size=MAX_UPLOAD)
