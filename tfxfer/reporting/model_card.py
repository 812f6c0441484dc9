"""The model card of a run, in Markdown, in the form that the Hugging Face hub reads."""

import json
from typing import Any

import keras
import tensorflow as tf

from tfxfer.reporting import words
from tfxfer.reporting.findings import Findings
from tfxfer.reporting.markdown import as_text
from tfxfer.system.names import class_lines
from tfxfer.version import __version__

# Classes that are listed one by one.
_LISTED_CLASSES = 50


def render(findings: Findings) -> str:
    """Returns the card: facts for the hub, then what a person asks of a model.

    The facts name no licence: that is for whoever owns the images to decide. They are YAML; texts
    stand in them as JSON writes them, which is YAML, too, whatever is in a name.
    """
    config, metrics, result = findings.config, findings.metrics, findings.result
    name = findings.run.path.resolve().name
    num_classes = len(result.class_names)
    network = words.network(config, metrics.parameters, num_classes)
    lines = [
        *_facts(findings, name),
        "",
        f"# {as_text(name)}",
        "",
        f"An image classifier of {num_classes:,} classes, trained by tfxfer {__version__}. "
        f"The network: {network}",
        "",
        *words.verdict(result),
    ]
    transfer = words.transfer(metrics.comparison)
    lines += [transfer] if transfer else []
    lines += ["", "## How to use it", "", *_usage(findings), "", "## Classes", ""]
    names = result.class_names
    shown = ", ".join(map(as_text, names[:_LISTED_CLASSES]))
    lines.append(shown + (", ... (`classes.txt`)" if len(names) > _LISTED_CLASSES else ""))
    lines += ["", "## Training", ""]
    splits = ", ".join(f"{counts.sum():,} {split}" for split, counts in findings.counts.items())
    lines.append(f"Data: {as_text(result.data)}, {splits} images.")
    lines += [f"- {as_text(note)}" for note in findings.notes]
    lines += [
        "",
        *words.phases(config, findings.epochs, metrics.penalty, metrics.best),
    ]
    lines += [
        "",
        "`tfxfer fit --config config.toml` repeats it. It ran on Keras "
        f"{keras.__version__} ({keras.backend.backend()}) and TensorFlow {tf.__version__}.",
        "",
        "## Evaluation",
        "",
        f"On {result.num_examples:,} {result.split} images; in brackets 95% of bootstrap samples.",
        "",
        "| | | |",
        "|---|---|---|",
    ]
    lines += [
        f"| {row} | {value:.4f} | ({low:.4f} to {high:.4f}) |"
        for row, value, (low, high) in result.rows()
    ]
    calibration = words.calibration(metrics.calibration, result.split)
    lines += ["", calibration] if calibration else []
    lines += [
        "",
        "## Limits",
        "",
        "It answers with one of its classes whatever it is shown. It was judged on images of the "
        "same origin as those it learnt from: of others nothing is known.",
    ]
    if config.weights != "none":
        lines.append(
            "It has inherited the biases of what its pretrained weights were trained on: "
            f"{as_text(config.weights)}."
        )
    return "\n".join(lines) + "\n"


def _facts(findings: Findings, name: str) -> list[str]:
    """Returns the block of YAML at the top."""
    result = findings.result
    measured = [
        ("accuracy", "Accuracy", result.accuracy),
        ("f1", "Macro F1", result.classes.macro()["f1"]),
    ]
    dataset = {"name": result.data, "type": result.data, "split": result.split}
    index = {
        "name": name,
        "results": [
            {
                "task": {"type": "image-classification", "name": "Image classification"},
                "dataset": dataset,
                "metrics": [
                    {"type": kind, "name": title, "value": round(value, 6)}
                    for kind, title, value in measured
                ],
            }
        ],
    }
    tags = ["tfxfer", "keras", "tensorflow", "transfer-learning", findings.config.backbone]
    facts: dict[str, Any] = {
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": tags,
        "metrics": [kind for kind, *_ in measured],
        "model-index": [index],
    }
    return ["---", *(f"{key}: {json.dumps(value)}" for key, value in facts.items()), "---"]


def _usage(findings: Findings) -> list[str]:
    """Returns how a script loads the model and asks it."""
    size = findings.images.image_size
    names = findings.result.class_names
    lines = 'open("classes.txt", encoding="utf-8").read().splitlines()'
    is_plain = class_lines(names).splitlines() == list(names)
    if not is_plain:  # see `class_lines`
        lines = f"[json.loads(line) if line[0] == '\"' else line for line in {lines}]"
    return [
        "```python",
        *([] if is_plain else ["import json"]),
        "import keras",
        "",
        'model = keras.models.load_model("model.keras")',
        f"class_names = {lines}",
        f"images = ...  # (batch, {size}, {size}, 3), RGB in [0, 255]",
        "probabilities = model.predict(images)",
        "```",
        "",
        "The middle square of a picture, turned as its EXIF orientation says and resized with "
        "antialiasing, is what it was trained on. tfxfer does that by itself:",
        "",
        "```python",
        "import tfxfer",
        "",
        'classifier = tfxfer.load(".")  # this directory',
        'probabilities = classifier.predict(["image.jpg"])',
        "```",
    ]
