"""The model card of a multi-label run."""

from tfxfer.reporting import words
from tfxfer.reporting.markdown import as_text
from tfxfer.reporting.model_card import (
    classes_section,
    evaluation_section,
    limitations_section,
    metadata,
    training_section,
    usage_section,
)
from tfxfer.reporting.multi_label.findings import MultiLabelFindings
from tfxfer.reporting.multi_label.page import verdict
from tfxfer.version import __version__

_ASYMMETRIC = (
    "It was trained by the asymmetric loss (Ridnik et al. 2021, arXiv:2009.14119), which lets the "
    "many images without a label count less: probabilities are higher than the share of images "
    "that have the label."
)


def render(findings: MultiLabelFindings) -> str:
    """Returns the card: metadata for the hub, then text; see `model_card.render`."""
    name, result = findings.run.path.resolve().name, findings.result
    measured = [
        ("mean_average_precision", "Mean average precision", result.mean_average_precision),
        ("f1", "Macro F1", result.macro_f1),
    ]
    lines = [
        *metadata(findings, name, measured),
        *("", f"# {as_text(name)}", "", *_introduction(findings)),
        *("", "## How to get started", "", *usage_section(findings), "", *_thresholds()),
        *("", "## Labels", "", classes_section(result.class_names)),
        *("", "## Training", "", *training_section(findings)),
        *("", "## Evaluation", "", *evaluation_section(findings), "", *_labels(findings)),
        *("", "## Limitations", "", *limitations_section(findings.config)),
    ]
    return "\n".join(lines) + "\n"


def _introduction(findings: MultiLabelFindings) -> list[str]:
    """Returns the architecture and the mean average precision."""
    num_labels = len(findings.result.class_names)
    return [
        f"A classifier that gives an image any number of {num_labels:,} labels, trained with "
        f"tfxfer {__version__}.",
        "",
        words.network(findings.config, findings.metrics.parameters, num_labels),
        *(["", _ASYMMETRIC] if findings.config.label_loss == "asymmetric" else []),
        "",
        " ".join(verdict(findings.result)),
    ]


def _thresholds() -> list[str]:
    """Returns how probabilities become labels."""
    return [
        "An image has the labels whose probability is at least the threshold in "
        "`thresholds.json`, which was chosen on validation for the best F1.",
    ]


def _labels(findings: MultiLabelFindings) -> list[str]:
    """Returns a table of the labels."""
    result, scores = findings.result, findings.result.classes
    lines = [
        "| label | images | average precision | threshold | F1 |",
        "|---|---|---|---|---|",
    ]
    for index, name in enumerate(result.class_names):
        precision = result.average_precision[index]
        shown = "-" if precision != precision else f"{precision:.4f}"
        lines.append(
            f"| {as_text(name)} | {scores.support[index]:,} | {shown} | "
            f"{result.thresholds[index]:.4f} | {scores.f1[index]:.4f} |"
        )
    return lines
