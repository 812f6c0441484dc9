"""The model card of a run on texts: Markdown with the metadata of the Hugging Face hub."""

import json

from tfxfer.evaluation.intervals import INTERVALS
from tfxfer.reporting.markdown import as_text
from tfxfer.text.reporting.findings import TextFindings
from tfxfer.text.reporting.page import network, phases, repeating, verdict
from tfxfer.version import __version__

# Maximum number of classes that are listed.
_LISTED_CLASSES = 50

_USAGE = """```python
import keras
{needed}import tensorflow as tf

model = keras.models.load_model("model.keras")
probabilities = model.predict(tf.constant(["A text.", "Another one."]))
```"""

_KERASHUB = "import keras_hub  # its tokenizer\n"


def render_card(findings: TextFindings) -> str:
    """Returns the card: metadata for the hub, then text."""
    result, name = findings.result, findings.run.path.resolve().name
    backbone = findings.backbone
    needed = _KERASHUB if backbone.is_encoder else ""
    names = ", ".join(map(as_text, result.class_names[:_LISTED_CLASSES]))
    more = ", ... (all in `classes.txt`)" if len(result.class_names) > _LISTED_CLASSES else ""
    lines = [
        *_metadata(findings, name),
        *("", f"# {as_text(name)}", ""),
        f"A classifier of texts with {len(result.class_names):,} classes, trained with tfxfer "
        f"{__version__}.",
        *("", network(findings), "", " ".join(verdict(findings))),
        *("", "## How to get started", "", _USAGE.format(needed=needed)),
        *("", "## Classes", "", names + more),
        *("", "## Training", ""),
        f"- Dataset: {as_text(result.data)}.",
        *(f"- {as_text(note)}" for note in findings.notes),
        *(f"- {line}" for line in phases(findings)),
        *("", f"Reproduce with `{repeating(name, 'config.toml')}`."),
        *("", "## Evaluation", ""),
        f"On {result.num_examples:,} {result.split} texts, with 95% intervals ({INTERVALS}).",
        *("", "| metric | value | 95% interval |", "|---|---|---|"),
        *(
            f"| {row} | {value:.4f} | ({low:.4f} to {high:.4f}) |"
            for row, value, (low, high) in result.rows()
        ),
        *("", "## Limitations", ""),
        "- The model always predicts one of its classes, whatever a text is about.",
        f"- It reads the first {findings.config.text.max_words:,} {backbone.unit} of a text"
        f"{'' if backbone.is_encoder else ', and knows only the words of its training texts'}.",
        "- It was evaluated on texts from the same dataset as the training texts. Its accuracy on "
        "other texts is unknown.",
    ]
    return "\n".join(lines) + "\n"


def _metadata(findings: TextFindings, name: str) -> list[str]:
    """Returns the block of YAML at the top. Strings are JSON, which is valid YAML."""
    result = findings.result
    measured = [
        ("accuracy", "Accuracy", result.accuracy),
        ("f1", "Macro F1", result.classes.macro()["f1"]),
    ]
    found = {
        "task": {"type": "text-classification", "name": "Text classification"},
        "dataset": {"name": result.data, "type": result.data, "split": result.split},
        "metrics": [
            {"type": kind, "name": title, "value": round(value, 6)}
            for kind, title, value in measured
        ],
    }
    metadata = {
        "library_name": "keras",
        "pipeline_tag": "text-classification",
        "tags": ["tfxfer", "keras", "tensorflow", findings.config.backbone],
        "metrics": [kind for kind, *_ in measured],
        "model-index": [{"name": name, "results": [found]}],
    }
    return ["---", *(f"{key}: {json.dumps(value)}" for key, value in metadata.items()), "---"]
