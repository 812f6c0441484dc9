"""The final fit of `--folds`: on all labeled images, with what the folds decided.

It has no validation images: those that would be are trained on. What they decide in other fits, the
L2 penalty and the number of epochs, was decided by the folds, or by a fit that validation judged.
Predictions, each by a model that had not seen the image, judge it and fit its temperature.
"""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tfxfer.config.decided import DecidedFit
from tfxfer.config.recipes import to_toml
from tfxfer.data.cache import Cache, places
from tfxfer.data.image.dataset import Images
from tfxfer.data.record import record_data, record_seen
from tfxfer.data.source import Source, Split
from tfxfer.data.weighting import training_weights
from tfxfer.evaluation.cautious import SET_ASIDE
from tfxfer.planning.wording import plan_row
from tfxfer.runs.directory import replace_settings
from tfxfer.runs.journal import Journal
from tfxfer.runs.metrics_record import read_metrics
from tfxfer.runs.scores.folds import FoldsRecord
from tfxfer.runs.scores.out_of_fold import write_predictions
from tfxfer.runs.search.trials import read_trials, write_trials
from tfxfer.system.run_layout import RunDirectory
from tfxfer.training.phases import OutOfFold
from tfxfer.training.transfer import PreparedFit


@dataclass(frozen=True, eq=False)
class Judged:
    """What a cross-validation found.

    Attributes:
        record: Its scores.
        whole: The training and validation images.
        predicted: Those of them whose predictions judge the final model.
        probabilities: Of each, by a model that had not seen it, (num_images, num_classes).
        num_train: How many of the whole are training images.
        config: Settings of the fit that follows.
        validated: The run of the fit that validation judged; None if the folds judged everything.
    """

    record: FoldsRecord
    whole: Split
    predicted: Split
    probabilities: npt.NDArray[np.float32]
    num_train: int
    config: DecidedFit
    validated: RunDirectory | None = None


Number = TypeVar("Number", int, float)


def middle(values: Sequence[Number]) -> Number:
    """Returns the median; of an even number, the larger one of the two in the middle.

    Examples:
        >>> middle([0.1, 0.3, 0.03]), middle([4, 7])
        (0.1, 7)
    """
    return statistics.median_high(values)


def on_everything(fitting: PreparedFit, judged: Judged) -> PreparedFit:
    """Returns a fit that is trained on all labeled images.

    Its run says which images are trained on. What is set aside for `--unknown` stays so.

    Args:
        fitting: A fit that was started or resumed, before its first phase.
        judged: What its cross-validation found.
    """
    run, given = fitting.run, fitting.materials
    plan, journal = run.plan, run.journal
    config, whole, aside = judged.config, judged.whole, given.images.get(SET_ASIDE)
    cache = Cache.of(config)
    own = Images(whole, config.frame, config.memory_bytes, cache, by_content=True)
    images = {"train": own} | ({"test": run.images["test"]} if "test" in run.images else {})
    # Images that are set aside are validation images that were not trained on.
    known = images if aside is None else {**images, "validation": aside}
    source = _with_splits(plan.source, {name: one.split for name, one in images.items()})
    record_seen(plan.run, plan.source, known, config, is_joined=True)
    record_data(plan.run, plan.source, known, run.skipped)
    replace_settings(plan.run, to_toml(config))
    write_predictions(plan.run, judged.predicted.digests(), judged.probabilities)
    if judged.validated is not None:
        _take_over_search(run.journal, judged.validated, plan.run)
    journal.history.keep_last()
    journal.say(plan_row("final model", judged.record.final or "") + "\n")
    plan = dataclasses.replace(plan, config=config, source=source, portfolio=None)
    weighted = own.weighted(training_weights(whole, config.class_weights))
    used = {**images, "train": weighted} | ({} if aside is None else {SET_ASIDE: aside})
    judging = own if judged.predicted is whole else given.images["validation"]
    rows = places(judging.digests, judged.predicted.digests())
    return PreparedFit(
        dataclasses.replace(run, plan=plan, images=images),
        dataclasses.replace(given, config=config, images=used),
        OutOfFold(judging, judged.probabilities[rows], judged.num_train),
    )


def _take_over_search(journal: Journal, validated: RunDirectory, run: RunDirectory) -> None:
    """Makes the search of the fit that validation judged, if there was one, that of a run."""
    journal.notes.search = read_metrics(validated).search
    if trials := read_trials(validated):
        write_trials(run, trials)


def _with_splits(source: Source, splits: Mapping[str, Split]) -> Source:
    """Returns data in other splits, with a note on it."""
    note = "the model was trained on the training and validation images together"
    return dataclasses.replace(source, splits=splits, notes=(*source.notes, note))
