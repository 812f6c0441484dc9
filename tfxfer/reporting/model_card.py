"""The model card of a run: Markdown with the metadata of the Hugging Face hub."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfxfer.config.decided import DecidedFit
from tfxfer.config.frame import RGB, FitImages, Frame
from tfxfer.data.image.framing import PADDING
from tfxfer.reporting import words
from tfxfer.reporting.findings import Findings, RunFindings
from tfxfer.reporting.markdown import as_text
from tfxfer.reporting.numbers.words import intervals_in_words, measured
from tfxfer.system.names import class_lines
from tfxfer.version import __version__

_ONE_OF_THEM = (
    "- The model always predicts one of its classes, even if the image shows none of them."
)

# What is done to an image, in the imperative.
_FITTED: Mapping[FitImages, str] = {
    "crop": "crop the center {what}, and resize it to this size with antialiasing",
    "stretch": "and resize the whole image to this size with antialiasing",
    "pad": "resize the whole image with antialiasing so that it just fits into this size, and "
    f"center it on gray ({PADDING} of 255)",
}

# Maximum number of classes that are listed.
_LISTED_CLASSES = 50


def render(findings: Findings) -> str:
    """Returns the card: metadata for the hub, then text.

    The metadata have no license: the owner of the images decides it. They are YAML. Strings are
    written as JSON, which is valid YAML for any name.
    """
    name = findings.run.path.resolve().name
    measured = [
        ("accuracy", "Accuracy", findings.result.accuracy),
        ("f1", "Macro F1", findings.result.classes.macro()["f1"]),
    ]
    lines = [
        *metadata(findings, name, measured),
        *("", f"# {as_text(name)}", "", *_introduction(findings)),
        *("", "## How to get started", "", *usage_section(findings)),
        *("", "## Classes", "", classes_section(findings.result.class_names)),
        *("", "## Training", "", *training_section(findings)),
        *("", "## Evaluation", "", *evaluation_section(findings)),
        *("", "## Limitations", "", *limitations_section(findings.config, _choice(findings))),
    ]
    return "\n".join(lines) + "\n"


def _choice(findings: Findings) -> str:
    """Returns what the model says of images of none of its classes."""
    if findings.metrics.caution is None:
        return _ONE_OF_THEM
    return (
        "- `model.keras` always predicts one of its classes, even if the image shows none of them. "
        "The SavedModel also says whether an image is unlike the training images."
    )


def _introduction(findings: Findings) -> list[str]:
    """Returns the architecture and the accuracy."""
    num_classes = len(findings.result.class_names)
    network = words.network(findings.config, findings.metrics.parameters, num_classes)
    transfer = words.transfer(findings.metrics.comparison)
    return [
        f"An image classifier with {num_classes:,} classes, trained with tfxfer {__version__}.",
        "",
        network,
        "",
        " ".join(words.verdict(findings.result)),
        *(["", transfer] if transfer else []),
    ]


def _fitted(frame: Frame) -> str:
    """Returns what is done to an image, in the imperative."""
    what = "square" if frame.height == frame.width else "part of this shape"
    return _FITTED[frame.fit].format(what=what)


def classes_section(names: tuple[str, ...]) -> str:
    """Returns the names of the classes; if there are many, the first ones."""
    shown = ", ".join(map(as_text, names[:_LISTED_CLASSES]))
    return shown + (", ... (all in `classes.txt`)" if len(names) > _LISTED_CLASSES else "")


def training_section(findings: RunFindings[Any]) -> list[str]:
    """Returns the training data, the phases, and how to reproduce the run."""
    metrics = findings.metrics
    splits = ", ".join(f"{number:,} {split}" for split, number in findings.num_images.items())
    phases = words.phases(findings.config, findings.epochs, metrics)
    name, repeated = findings.run.path.name, words.settings_to_repeat(findings.run, metrics).name
    return [
        f"- Dataset: {as_text(findings.result.data)}, {splits} images.",
        *(f"- {as_text(note)}" for note in findings.notes),
        *(f"- {line}" for line in phases),
        "",
        f"Reproduce with `{shlex.join(words.repeating(name, repeated))}`. Versions: Keras "
        f"{keras.__version__} (backend {keras.backend.backend()}), TensorFlow {tf.__version__}.",
    ]


def evaluation_section(findings: RunFindings[Any]) -> list[str]:
    """Returns a table of the metrics."""
    result = findings.result
    calibration = words.calibration(findings.metrics.calibration, result.split)
    return [
        f"On {result.num_examples:,} {result.split} images, with 95% intervals "
        f"({intervals_in_words(result)}).",
        "",
        "| metric | value | 95% interval |",
        "|---|---|---|",
        *(
            f"| {row} | {measured(value, result)} | "
            f"({measured(low, result)} to {measured(high, result)}) |"
            for row, value, (low, high) in result.rows()
        ),
        *(["", calibration] if calibration else []),
        *(line for remark in words.remarks(findings.metrics) for line in ("", remark)),
    ]


def limitations_section(config: DecidedFit, *own: str) -> list[str]:
    """Returns the limitations that hold for any classifier of this kind.

    Args:
        config: Settings of the run.
        *own: Limitations that others do not have.
    """
    lines = [
        *own,
        "- It was evaluated on images from the same dataset as the training images. Its accuracy "
        "on other images is unknown.",
    ]
    if config.weights != "none":
        lines.append(
            "- It may inherit biases from the data of its pretrained weights: "
            f"{as_text(config.weights)}."
        )
    return lines


def metadata(
    findings: RunFindings[Any], name: str, measured: Sequence[tuple[str, str, float]]
) -> list[str]:
    """Returns the block of YAML at the top.

    Args:
        findings: Of a run.
        name: Of the model.
        measured: Metrics, each as its name on the hub, its title and its value.
    """
    result = findings.result
    kind, title = "image-classification", "Image classification"
    if findings.metrics.target is not None:
        kind, title = "other", "Image regression"  # the hub has no such task
    dataset = {"name": result.data, "type": result.data, "split": result.split}
    index = {
        "name": name,
        "results": [
            {
                "task": {"type": kind, "name": title},
                "dataset": dataset,
                "metrics": [
                    {"type": metric, "name": name_of_metric, "value": round(value, 6)}
                    for metric, name_of_metric, value in measured
                ],
            }
        ],
    }
    tags = ["tfxfer", "keras", "tensorflow", "transfer-learning", findings.config.backbone]
    metadata: dict[str, Any] = {
        "library_name": "keras",
        "pipeline_tag": kind,
        "tags": tags,
        "metrics": [metric for metric, *_ in measured],
        "model-index": [index],
    }
    return ["---", *(f"{key}: {json.dumps(value)}" for key, value in metadata.items()), "---"]


def _outputs(findings: RunFindings[Any]) -> str:
    """Returns the name of what the model gives."""
    return "probabilities" if findings.metrics.target is None else "numbers"


def _suffix(frame: Frame) -> str:
    """Returns the suffix of a file of images, as an example."""
    return "jpg" if frame.channels in (1, RGB) else "npy"


def usage_section(findings: RunFindings[Any]) -> list[str]:
    """Returns code that loads the model and predicts."""
    frame = findings.images.frame
    names = findings.result.class_names
    read = 'pathlib.Path("classes.txt").read_text("utf-8")'
    imports, names_code = ["import pathlib"], [f"class_names = {read}.splitlines()"]
    if class_lines(names).splitlines() != list(names):  # see `class_lines`
        imports = ["import json", "import pathlib"]
        names_code = [
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
        *names_code,
        f"images = ...  # (batch, {frame.height}, {frame.width}, {frame.channels}), "
        f"{frame.content} in [0, 255]",
        f"{_outputs(findings)} = model.predict(images)",
        "```",
        "",
        f"Preprocessing: apply the EXIF orientation, {_fitted(frame)}. tfxfer does this for you:",
        "",
        "```python",
        "import tfxfer",
        "",
        'classifier = tfxfer.load(".")  # this directory',
        f'{_outputs(findings)} = classifier.predict(["image.{_suffix(frame)}"])',
        "```",
    ]
