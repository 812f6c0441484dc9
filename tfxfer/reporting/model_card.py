"""The model card of a run, in Markdown, in the form that the Hugging Face hub reads."""

import json
from typing import Any

import keras
import tensorflow as tf

from tfxfer.config.decided import DecidedFit
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
    name = findings.run.path.resolve().name
    lines = [
        *_facts(findings, name),
        *("", f"# {as_text(name)}", "", *_introduction(findings)),
        *("", "## How to use it", "", *_usage(findings)),
        *("", "## Classes", "", _classes(findings.result.class_names)),
        *("", "## Training", "", *_training(findings)),
        *("", "## Evaluation", "", *_evaluation(findings)),
        *("", "## Limits", "", *_limits(findings.config)),
    ]
    return "\n".join(lines) + "\n"


def _introduction(findings: Findings) -> list[str]:
    """Returns what the model is, and how good."""
    num_classes = len(findings.result.class_names)
    network = words.network(findings.config, findings.metrics.parameters, num_classes)
    transfer = words.transfer(findings.metrics.comparison)
    return [
        f"An image classifier of {num_classes:,} classes, trained by tfxfer {__version__}. "
        f"The network: {network}",
        "",
        *words.verdict(findings.result),
        *([transfer] if transfer else []),
    ]


def _classes(names: tuple[str, ...]) -> str:
    """Returns the names of the classes; where there are many, the first ones."""
    shown = ", ".join(map(as_text, names[:_LISTED_CLASSES]))
    return shown + (", ... (`classes.txt`)" if len(names) > _LISTED_CLASSES else "")


def _training(findings: Findings) -> list[str]:
    """Returns on what the model was trained, and how."""
    metrics = findings.metrics
    splits = ", ".join(f"{counts.sum():,} {split}" for split, counts in findings.counts.items())
    return [
        f"Data: {as_text(findings.result.data)}, {splits} images.",
        *(f"- {as_text(note)}" for note in findings.notes),
        "",
        *words.phases(findings.config, findings.epochs, metrics.penalty, metrics.best),
        "",
        "`tfxfer fit --config config.toml` repeats it. It ran on Keras "
        f"{keras.__version__} ({keras.backend.backend()}) and TensorFlow {tf.__version__}.",
    ]


def _evaluation(findings: Findings) -> list[str]:
    """Returns how good the model is, number by number."""
    result = findings.result
    calibration = words.calibration(findings.metrics.calibration, result.split)
    return [
        f"On {result.num_examples:,} {result.split} images; in brackets 95% of bootstrap samples.",
        "",
        "| | | |",
        "|---|---|---|",
        *(
            f"| {row} | {value:.4f} | ({low:.4f} to {high:.4f}) |"
            for row, value, (low, high) in result.rows()
        ),
        *(["", calibration] if calibration else []),
    ]


def _limits(config: DecidedFit) -> list[str]:
    """Returns what nobody knows of the model."""
    lines = [
        "It answers with one of its classes whatever it is shown. It was judged on images of the "
        "same origin as those it learnt from: of others nothing is known.",
    ]
    if config.weights != "none":
        lines.append(
            "It has inherited the biases of what its pretrained weights were trained on: "
            f"{as_text(config.weights)}."
        )
    return lines


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
    read = 'pathlib.Path("classes.txt").read_text("utf-8")'
    imports, told = ["import pathlib"], [f"class_names = {read}.splitlines()"]
    if class_lines(names).splitlines() != list(names):  # see `class_lines`
        imports = ["import json", "import pathlib"]
        told = [
            f'lines = {read}.removesuffix("\\n").split("\\n")',
            "class_names = [json.loads(line) if line[0] == '\"' else line for line in lines]",
        ]
    return [
        "```python",
        *imports,
        "",
        "import keras",
        "",
        'model = keras.models.load_model("model.keras")',
        *told,
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
