"""A page on which a classifier of images or of texts answers. Needs TensorFlow and Gradio."""

# Copied into each Space as it is, so it imports nothing of the package that it comes from.

import importlib
import json
import pathlib
import re
from typing import Any

import gradio
import tensorflow as tf

FOLDER = pathlib.Path(__file__).parent / "model"

# Files above it are refused before they are decoded.
MAX_UPLOAD = "100mb"

FACTS = json.loads((FOLDER / "assets" / "tfxfer.json").read_text("utf-8"))

# Some models of texts have operations of TensorFlow Text, which its import registers.
for package in FACTS.get("needs", ()):
    importlib.import_module(package)

MODEL = tf.saved_model.load(str(FOLDER))
ANSWER = MODEL.signatures["serving_default"]
(INPUT,) = ANSWER.structured_input_signature[1]


def class_names() -> list[str]:
    """Returns the class names: one per line, unusual ones as JSON strings."""
    lines = (FOLDER / "assets" / "labels.txt").read_text("utf-8").removesuffix("\n").split("\n")
    return [json.loads(line) if line.startswith('"') else line for line in lines]


NAMES = class_names()


# The classes of each task of a model of several tasks, and the threshold of each of several labels.
TASKS, THRESHOLDS = FACTS.get("tasks"), FACTS.get("thresholds")


def classify(content: bytes | str) -> tuple[list[dict[str, float]], str]:
    """Returns the probabilities of the classes, for each task, and what else is said of it.

    Args:
        content: Of an image file, or a text.

    Raises:
        ValueError: It cannot be read; the message is a sentence.
    """
    try:
        found = ANSWER(**{INPUT: tf.constant([content])})
    except tf.errors.OpError as error:
        reason = re.search(r"cannot be read: ([^\n]*?)\.?\]?(?:\n|$)", error.message)
        told = f": {reason[1].strip()}" if reason else ""
        raise ValueError(f"This image cannot be read{told}.") from None
    said = {name: value.numpy()[0] for name, value in found.items()}
    if TASKS:
        shares = [said[f"{task}_probabilities"].tolist() for task in TASKS]
        return [
            dict(zip(*one, strict=True)) for one in zip(TASKS.values(), shares, strict=True)
        ], ""
    return [dict(zip(NAMES, said["probabilities"].tolist(), strict=True))], remarks(said)


def remarks(said: dict[str, Any]) -> str:
    """Returns what is said of an image besides probabilities."""
    lines = []
    if "unknown" in said:
        limits = FACTS["caution"]
        measured = f"distance {said['unknown_score']:.2f}, unknown above {limits['threshold']:.2f}"
        what = "None of these: unlike" if said["unknown"] else "Like"
        lines.append(f"{what} the training images ({measured}).")
        names = [name for name, is_in in zip(NAMES, said["in_set"], strict=True) if is_in]
        in_set = ", ".join(names) or "no class"
        lines.append(f"Prediction set ({limits['coverage']:.0%} coverage): {in_set}.")
    if THRESHOLDS:
        chosen = [name for name, one in zip(NAMES, said["chosen"], strict=True) if one]
        told = [f"{name} (from {THRESHOLDS[name]:.2%})" for name in chosen]
        lines.append(f"Predicted labels: {', '.join(told) or 'none'}.")
    return "\n".join(lines)


def answer(asked: str | None) -> Any:
    """Returns what the page shows, in one component or in several.

    Args:
        asked: The path of an upload, or a text.
    """
    several = len(answers()) > 1
    if not asked:
        return [None] * len(answers()) if several else None
    try:
        shares, told = classify(pathlib.Path(asked).read_bytes() if takes_images() else asked)
    except ValueError as error:
        raise gradio.Error(str(error), print_exception=False) from None
    shown = [*shares, told] if has_remarks() else shares
    return shown if several else shown[0]


def has_remarks() -> bool:
    """Tells whether the model says more than probabilities."""
    return bool(THRESHOLDS) or "unknown" in ANSWER.structured_outputs


def answers() -> list[gradio.components.Component]:
    """Returns the components that show an answer."""
    titles = TASKS or ["Probabilities"]
    shown = [gradio.Label(label=title, num_top_classes=5) for title in titles]
    return [*shown, gradio.Textbox(label="Remarks", lines=2)] if has_remarks() else shown


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
    answers(),
    title=FACTS["name"],
    flagging_mode="never",
    # Texts are answered as they are typed in whole, not letter by letter.
    live=takes_images(),
)

if __name__ == "__main__":
    page.launch(max_file_size=MAX_UPLOAD)
