"""What `fit` says in the end: the scores, where the results are, and the next commands."""

from pathlib import Path

from tfxfer.data.image.readability import Unreadable
from tfxfer.data.record import describe_skipped
from tfxfer.evaluation.calibration import describe_calibration
from tfxfer.evaluation.metrics import describe_gap, describe_scores
from tfxfer.exporting.clients import how_to_try
from tfxfer.planning.plan import Plan
from tfxfer.planning.wording import describe_next_steps, plan_row
from tfxfer.ranking.folding.heads import interval_of_accuracy
from tfxfer.runs.history import Epoch
from tfxfer.runs.metrics_record import FitMetrics, evaluation_split
from tfxfer.system.names import in_shell
from tfxfer.system.progress import readable_duration
from tfxfer.training.transfer import Trained

# Of a fit on fewer images in all, the summary says how certain its validation accuracy is.
_FEW_IMAGES = 500


def summary(trained: Trained, metrics: FitMetrics, skipped: list[Unreadable]) -> str:
    """Returns the scores, and where the results are."""
    plan, best = trained.plan, trained.journal.history.best
    is_on_all = trained.out_of_fold is not None
    calibration = []
    if metrics.calibration:
        split = evaluation_split(metrics.splits)
        calibration = [describe_calibration(metrics.calibration, split)]
    return "\n".join(
        [
            "",
            *describe_scores(metrics.splits),
            *([gap] if (gap := describe_gap(metrics.splits)) else []),
            *_certainty(trained),
            *_unknown(metrics),
            *calibration,
            *describe_skipped(plan.run, skipped),
            *([plan_row("best weights", _where(best, metrics))] if best and not is_on_all else []),
            plan_row("duration", readable_duration(metrics.seconds)),
            plan_row("model", str(plan.run.model)),
            plan_row("export", str(metrics.export)),
        ]
    )


def _certainty(trained: Trained) -> list[str]:
    """Returns how certain the accuracy is: of the folds or, with few images, of validation."""
    folds = trained.metrics.folds
    if folds is not None:
        told = [f"cross-validated {folds.describe()}"]
        if folds.final is not None:
            told.append(f"final model: {folds.final}; no validation images judged it")
        return told
    images, special = trained.images, trained.plan.source.special
    if special or sum(map(len, images.values())) >= _FEW_IMAGES:
        return []
    low, high = interval_of_accuracy(images["validation"], trained.probabilities["validation"])
    return [
        f"with {len(images['validation']):,} images the validation accuracy is uncertain: 95% "
        f"interval {low:.4f} to {high:.4f}; for a better estimate, --folds 5 cross-validates the "
        "head on all images, and --folds 5 --folds-finetune the whole training"
    ]


def _unknown(metrics: FitMetrics) -> list[str]:
    """Returns what the model calls unknown, and how well that holds on test."""
    found = metrics.caution
    if found is None:
        return []
    return [found.limits.describe(), *([found.measured.describe()] if found.measured else [])]


def _where(best: Epoch, metrics: FitMetrics) -> str:
    """Returns where the best weights are from, as text."""
    if metrics.average and metrics.average.is_kept:
        return metrics.average.what
    if best.phase == "head" and metrics.penalty is not None:
        return f"head phase, L2 penalty {metrics.penalty:g}"
    return f"{best.phase} phase, epoch {best.epoch}"


def next_steps(plan: Plan, version: Path, page: Path) -> str:
    """Returns where the report is, and the next commands."""
    run = in_shell(plan.run.path)
    serve, ask = how_to_try(version)
    steps = {
        f"tfxfer predict {run} IMAGE...": "classify images",
        f"tfxfer evaluate {run} --data DATA": "evaluate on other data",
        f"tensorboard --logdir {run}": "plot the training curves",
        serve: "serve the export with TensorFlow Serving",
        ask: "send it an example request",
    }
    return describe_next_steps(page, steps)
