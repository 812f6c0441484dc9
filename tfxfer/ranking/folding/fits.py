"""`fit --folds-finetune`: whole fits, each judged on the images of a fold that it has not seen."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tfxfer.data.cache import places
from tfxfer.data.carving import deal
from tfxfer.data.contents import Integers, inseparable
from tfxfer.data.labels.stratification import divided
from tfxfer.data.source import Split
from tfxfer.data.splitting import joined
from tfxfer.planning.plan import Plan
from tfxfer.ranking.folding.deciding import FoldFit, describe_final, settings_of_final
from tfxfer.ranking.folding.final import Judged
from tfxfer.ranking.judging.head_scores import HeadScores
from tfxfer.ranking.judging.labeled import Labeled, check_folds
from tfxfer.runs.scores.folds import FoldsRecord
from tfxfer.runs.scores.out_of_fold import read_predictions, write_predictions
from tfxfer.system.digests import Ids
from tfxfer.system.run_layout import RunDirectory
from tfxfer.training.epochs.session import Session
from tfxfer.training.examples import Floats
from tfxfer.training.transfer import PreparedFit, Trained, train

# The parts of a fit that one before the final fit does without. Its predictions fit the temperature
# of the final model, so that they have none of their own.
_WITHOUT = {
    "calibrate": False,
    "folds": 0,
    "folds_finetune": False,
    "unknown": False,
    "compare_scratch": False,
    "compare_examples": None,
    "compare_epochs": None,
    "find_rate": False,
}


def cross_validate_fits(fitting: PreparedFit, session: Session) -> Judged:
    """Returns what whole fits say of images that they were not trained on, and of the final fit.

    For each fold the plan is carried out with the fold as its test split: of the other images it
    splits off a share for validation as large as that of the plan. Exact duplicates, and the groups
    of the data, stay in one fold. The fits are runs in the directory of the run; one that was
    interrupted is resumed, and of a finished one only its predictions are kept.

    Args:
        fitting: The fit; its test images stay unseen, and those that are set aside.
        session: The call.

    Raises:
        UsageError: There are too few images.
        InterruptionError: A signal was received; resuming the run resumes the fold.
        RunError: Training failed.
    """
    plan = fitting.run.plan
    parts = [fitting.materials.images[name].split for name in ("train", "validation")]
    whole, share = joined(*parts), len(parts[1]) / sum(map(len, parts))
    digests, num_folds = whole.digests(), plan.config.folds
    folds = deal(whole.labels, digests, num_folds, (plan.config.seed, 0), whole.groups)
    units = inseparable(digests, None if whole.groups is None else list(whole.groups))
    labeled = Labeled(whole.labels, folds, units, len(plan.source.class_names))
    check_folds(labeled, num_folds, "Setting 'folds' (--folds)")
    shares, fits = np.zeros((len(whole), labeled.num_classes), np.float32), []
    for fold in np.unique(folds):
        fit = _fit_of_fold(plan, whole, folds, int(fold), share)
        sizes = ", ".join(f"{len(one):,} {name}" for name, one in fit.source.splits.items())
        session.say(f"\nfold {fold + 1} of {num_folds}: {sizes} images")
        known, found = predictions_of(fit, "test", session)
        own = np.flatnonzero(folds == fold)
        shares[own] = found[places(digests[own], known)]
        fits.append(FoldFit.of(fit.run))
    scores, config = HeadScores.of(shares, labeled), settings_of_final(fits, plan)
    final = describe_final(fits, config, len(whole))
    told = scores.metric, scores.interval, scores.log_loss, True, final
    record = FoldsRecord(num_folds, len(whole), *told)
    return Judged(record, whole, whole, shares, len(parts[0]), config)


def _fit_of_fold(plan: Plan, whole: Split, folds: Integers, fold: int, share: float) -> Plan:
    """Returns the plan of the fit whose test split is a fold."""
    rest = np.flatnonzero(folds != fold)
    labels, digests = whole.labels[rest], whole.digests()[rest]
    groups = None if whole.groups is None else [whole.groups[one] for one in rest.tolist()]
    seed = (plan.config.seed, 3, fold)
    parts = divided(labels, digests, {"validation": share}, seed, groups)
    if not len(parts["validation"]):  # of each class there is only one image, or one group
        following = folds[rest] == (fold + 1) % (folds.max() + 1)
        parts = {"train": np.flatnonzero(~following), "validation": np.flatnonzero(following)}
    splits = {name: whole.select(rest[part]) for name, part in parts.items()}
    splits = {"train": splits["train"], "validation": splits["validation"]}
    splits["test"] = whole.select(np.flatnonzero(folds == fold))
    return fit_within(plan, f"fold-{fold + 1}", splits)


def fit_within(plan: Plan, name: str, splits: Mapping[str, Split]) -> Plan:
    """Returns the plan of a fit on other splits, whose run is in that of a plan."""
    return dataclasses.replace(
        plan,
        source=dataclasses.replace(plan.source, splits=splits),
        config=plan.config.with_settings({**_WITHOUT, "run": name}),
        run=RunDirectory(plan.run.path / name),
    )


def predictions_of(fit: Plan, split: str, session: Session) -> tuple[Ids, Floats]:
    """Returns the digests and the probabilities of a split's images, by a fit that is trained now.

    A finished one is not repeated, and only its predictions are kept.

    Args:
        fit: Plan of the fit; the split is not trained on.
        split: Name of the split.
        session: The call.

    Raises:
        InterruptionError: A signal was received; the next call resumes the fit.
        RunError: Training failed.
    """
    if not fit.run.out_of_fold.is_file():

        def write(trained: Trained) -> None:
            digests, probabilities = trained.images[split].digests, trained.probabilities[split]
            write_predictions(fit.run, digests, probabilities)

        train(fit, session.interruptions, session.say, write)
    for file in (fit.run.model, fit.run.best_weights):
        file.unlink(missing_ok=True)
    return read_predictions(fit.run)
