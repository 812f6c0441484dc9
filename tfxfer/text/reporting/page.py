"""The report of a run on texts as an HTML page."""

import pathlib
import shlex
from typing import Any

from tfxfer.config.recipes import changed_settings, read_recipe, to_toml
from tfxfer.config.schema import FitConfig
from tfxfer.config.settings import option_of
from tfxfer.evaluation.intervals import INTERVALS
from tfxfer.evaluation.metrics import describe_correct, describe_gap
from tfxfer.planning.wording import describe_regularization, describe_schedule
from tfxfer.reporting import charts
from tfxfer.reporting.curves import curves
from tfxfer.reporting.html.filling import fill
from tfxfer.text.models.attribution import WordAttributions
from tfxfer.text.models.backbones import OWN_WEIGHTS
from tfxfer.text.planning.description import describe_trained
from tfxfer.text.reporting.findings import TextFindings
from tfxfer.text.reporting.marking import marked, readable

# Most confident mistakes that are shown.
_MISTAKES = 20

# With more classes the confusion matrix shows those with the most mistakes.
_MATRIX_CLASSES = 30


def render(findings: TextFindings) -> str:
    """Returns the page of a run as self-contained HTML."""
    result, config, run = findings.result, findings.config, findings.run
    bins = result.calibration
    columns = (bins.confidence.tolist(), bins.accuracy.tolist(), bins.count.tolist())
    return fill(
        "text_run.html",
        pathlib.Path(__file__).parent,
        title=run.path.name,
        result=result,
        verdict=verdict(findings),
        asked=asked(read_recipe(run.asked, FitConfig())) if run.asked.is_file() else None,
        network=network(findings),
        phases=phases(findings),
        scores=result.rows(),
        intervals=INTERVALS,
        classes=_classes(findings),
        reliability=charts.reliability(list(zip(*columns, strict=True))),
        matrix=_matrix(findings),
        mistakes=_mistakes(findings),
        num_mistakes=len(findings.mistakes),
        splits={name: int(counts.sum()) for name, counts in findings.counts.items()},
        notes=findings.notes,
        fingerprint=findings.metrics.data.fingerprint if findings.metrics.data else None,
        repeat=repeating(run.path.name, str(run.config)),
        settings=to_toml(config),
        **curves(findings.epochs, config, findings.metrics.best),
    )


def verdict(findings: TextFindings) -> list[str]:
    """Returns the accuracy with its interval, and how it compares with the baseline."""
    result, baseline = findings.result, findings.baseline
    low, high = result.intervals["accuracy"]
    correct = describe_correct(result.accuracy, result.num_examples, result.unit)
    lines = [
        f"{result.split.capitalize()} accuracy {result.accuracy:.1%} ({correct}; 95% interval "
        f"{100 * low:.1f} to {100 * high:.1f})."
    ]
    if baseline is not None and result.split in baseline.accuracy:
        lines.append(baseline.verdict(result.split, result.accuracy))
    if gap := describe_gap(findings.metrics.splits, "texts"):
        lines.append(gap)
    return lines


def asked(config: FitConfig) -> str:
    """Returns the command line for settings, without those at their default."""
    words = ["tfxfer", "fit"]
    for key, value in changed_settings(config).items():
        values = value if isinstance(value, list | tuple) else [value]
        for one in values:
            words += [option_of(key)] if one is True else [option_of(key), str(one)]
    return shlex.join(words)


def repeating(run: str, config: str) -> str:
    """Returns the command that repeats a run, as one with another name."""
    return shlex.join(["tfxfer", "fit", "--config", config, "--run", f"{run}-again"])


def network(findings: TextFindings) -> str:
    """Returns a description of the classifier: backbone, weights, words and parameters."""
    config, parameters = findings.config, findings.metrics.parameters
    backbone, text = findings.backbone, config.text
    weights = "random weights" if config.weights == "none" else f"weights of {config.weights}"
    if config.weights == OWN_WEIGHTS:
        weights = "its pretrained weights"
    units = f", {text.units} units" if backbone.has_units else ""
    told = (
        f"Backbone: {backbone.name}, {backbone.what} ({backbone.paper}); initially {weights}. "
        f"{text.dimensions} dimensions{units}, dropout {text.dropout:g}. It reads the first "
        f"{text.max_words:,} {backbone.unit} of a text."
    )
    if parameters:
        told += (
            f" {parameters.total:,} parameters in total, {parameters.trained:,} of them trained."
        )
    return told


def phases(findings: TextFindings) -> list[str]:
    """Returns a description of each phase, and of the best epoch."""
    config, best, lines = findings.config, findings.metrics.best, []
    backbone = findings.backbone
    if config.head.epochs:
        lines.append(f"Head phase, backbone frozen: {describe_schedule(config.head)}.")
    if config.finetune.epochs:
        stages = backbone.unfrozen_stages(config.finetune.unfreeze)
        parts = [
            describe_schedule(config.finetune, len(stages)),
            f"batch size {config.batch_size}",
            *describe_regularization(config.finetune),
        ]
        what = describe_trained(stages, backbone)
        lines.append(f"Finetune phase, training {what}: {', '.join(parts)}.")
    lines += [
        f"Best epoch: {one.epoch} of the {one.phase} phase (validation accuracy "
        f"{one.validation_accuracy:.4f}, loss {one.validation_loss:.4f}). Its weights were saved."
        for one in findings.epochs
        if best and (one.phase, one.epoch) == (best.phase, best.epoch)
    ]
    return lines


def _classes(findings: TextFindings) -> list[dict[str, Any]]:
    """Returns a row for each class."""
    scores, train = findings.result.classes, findings.counts.get("train")
    return [
        {
            "name": name,
            "train": 0 if train is None else int(train[index]),
            "support": int(scores.support[index]),
            "precision": float(scores.precision[index]),
            "recall": float(scores.recall[index]),
            "f1": float(scores.f1[index]),
        }
        for index, name in enumerate(findings.result.class_names)
    ]


def _matrix(findings: TextFindings) -> dict[str, Any]:
    """Returns the names and cells of the confusion matrix; rows are true classes."""
    result = findings.result
    shown = result.pairs.classes_with_most_mistakes(_MATRIX_CLASSES)
    return {
        "names": [result.class_names[index] for index in shown],
        "rows": result.pairs.among(shown).tolist(),
    }


def _mistakes(findings: TextFindings) -> list[dict[str, Any]]:
    """Returns the most confident mistakes, with the words that speak for and against them."""
    result, scored = findings.result, findings.scored
    attributions = WordAttributions(findings.model)
    found = []
    for index in findings.mistakes[:_MISTAKES]:
        label, predicted = int(result.labels[index]), int(findings.predicted[index])
        text = readable(scored.texts[index])
        found.append(
            {
                "id": scored.ids[index],
                "words": marked(
                    attributions.words_of(text), attributions.of(text, predicted, label)
                ),
                "label": result.class_names[label],
                "predicted": result.class_names[predicted],
                "confidence": float(result.probabilities[index, predicted]),
                "label_probability": float(result.probabilities[index, label]),
            }
        )
    return found
