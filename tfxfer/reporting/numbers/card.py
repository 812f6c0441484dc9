"""The model card of a run that predicts a number."""

from tfxfer.data.labels.numbers import readable
from tfxfer.reporting import words
from tfxfer.reporting.markdown import as_text
from tfxfer.reporting.model_card import (
    evaluation_section,
    limitations_section,
    metadata,
    training_section,
    usage_section,
)
from tfxfer.reporting.numbers.findings import NumberFindings
from tfxfer.reporting.numbers.page import verdict
from tfxfer.version import __version__

_ALWAYS = (
    "- The model gives a number for every image, even if the image shows nothing that has one, and "
    "hardly one outside the range of the training images."
)


def render(findings: NumberFindings) -> str:
    """Returns the card: metadata for the hub, then text; see `model_card.render`."""
    name, result = findings.run.path.resolve().name, findings.result
    measured = [
        ("mae", "Mean absolute error", result.mean_absolute_error),
        ("rmse", "Root mean squared error", result.root_mean_squared_error),
        ("r_squared", "R squared", result.r2),
    ]
    lines = [
        *metadata(findings, name, measured),
        *("", f"# {as_text(name)}", "", *_introduction(findings)),
        *("", "## How to get started", "", *usage_section(findings)),
        *("", "## Target", "", _target(findings)),
        *("", "## Training", "", *training_section(findings)),
        *("", "## Evaluation", "", *evaluation_section(findings)),
        *("", "## Limitations", "", *limitations_section(findings.config, _ALWAYS)),
    ]
    return "\n".join(lines) + "\n"


def _introduction(findings: NumberFindings) -> list[str]:
    """Returns the architecture and the error."""
    target = as_text(findings.result.number.name)
    return [
        f"A model that predicts the number {target} from an image, trained with tfxfer "
        f"{__version__}.",
        "",
        words.network(findings.config, findings.metrics.parameters, 1),
        "",
        " ".join(verdict(findings)),
    ]


def _target(findings: NumberFindings) -> str:
    """Returns what is known of the numbers."""
    number = findings.result.number
    return (
        f"{as_text(number.name)}, in the unit of the training data: {readable(number.low)} to "
        f"{readable(number.high)} in train, with mean {readable(number.mean)}, standard deviation "
        f"{readable(number.std)} and median {readable(number.median)} (`target.json`)."
    )
