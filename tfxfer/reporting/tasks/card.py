"""The model card of a run of several tasks."""

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
from tfxfer.reporting.tasks.findings import TasksFindings
from tfxfer.reporting.tasks.page import verdict
from tfxfer.version import __version__

_ONE_OF_EACH = (
    "- The model always predicts one class of each task, even if the image shows none of them."
)


def render(findings: TasksFindings) -> str:
    """Returns the card: metadata for the hub, then text; see `model_card.render`."""
    name, result = findings.run.path.resolve().name, findings.result
    measured = [
        ("accuracy", f"Accuracy, {task}", one.accuracy) for task, one in result.of_task.items()
    ]
    lines = [
        *metadata(findings, name, measured),
        *("", f"# {as_text(name)}", "", *_introduction(findings)),
        *("", "## How to get started", "", *usage_section(findings), "", *_outputs()),
        *("", "## Tasks", "", *_tasks(findings)),
        *("", "## Training", "", *training_section(findings)),
        *("", "## Evaluation", "", *evaluation_section(findings)),
        *("", "## Limitations", "", *limitations_section(findings.config, _ONE_OF_EACH)),
    ]
    return "\n".join(lines) + "\n"


def _introduction(findings: TasksFindings) -> list[str]:
    """Returns the architecture and the accuracy of each task."""
    tasks = findings.result.tasks
    named = ", ".join(as_text(name) for name in tasks.names)
    return [
        f"An image classifier with {len(tasks.names)} tasks ({named}), trained with tfxfer "
        f"{__version__}: one backbone, and a softmax for each task.",
        "",
        words.network(findings.config, findings.metrics.parameters, sum(tasks.sizes)),
        "",
        " ".join(verdict(findings.result)),
    ]


def _outputs() -> list[str]:
    """Returns which outputs are those of which task."""
    return [
        "The outputs are those of all tasks in a row: `tasks.json` has the classes of each task in "
        "their order. The probabilities of each task sum to 1.",
    ]


def _tasks(findings: TasksFindings) -> list[str]:
    """Returns the classes of each task."""
    tasks = findings.result.tasks
    return [
        f"- {as_text(name)}: {classes_section(own)}"
        for name, own in zip(tasks.names, tasks.classes, strict=True)
    ]
