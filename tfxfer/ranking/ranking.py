"""Ranks backbones: each computes its features once, and heads on them are cross-validated."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import keras

from tfxfer.config.frame import sides
from tfxfer.config.schema import FitConfig
from tfxfer.data.labels.kinds import MULTI_LABEL, NUMERIC
from tfxfer.errors import InterruptionError, UsageError
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.backbones.latency import milliseconds_of
from tfxfer.planning.several_labels import refuse_several_labels
from tfxfer.planning.wording import plan_row
from tfxfer.ranking.candidates import Candidates, Limits, Skipped, describe_skipped
from tfxfer.ranking.cross_validation import out_of_fold
from tfxfer.ranking.images import Pool
from tfxfer.ranking.judging.evidence import h_score_of, logme_of
from tfxfer.ranking.judging.head_scores import HeadScores
from tfxfer.ranking.judging.metric import Metric
from tfxfer.ranking.learning_curve import learning_curve
from tfxfer.ranking.ordering import groups, order, pareto_front
from tfxfer.ranking.outlook import Outlook
from tfxfer.ranking.result import Ranked, Ranking
from tfxfer.ranking.stages import StageScore, stage_scores, stage_sizes
from tfxfer.system.progress import Say, readable_seconds
from tfxfer.training.frozen.features import FeatureFunction

# Number of folds of the cross-validation.
NUM_FOLDS = 5

_BYTES_PER_PARAMETER = 4  # float32


@dataclass(frozen=True)
class Extras:
    """What else is measured of the best backbone.

    Attributes:
        learning_curve: The learning curve of its head, and the head on random weights.
        stages: The head on each of its stages.
    """

    learning_curve: bool = False
    stages: bool = False


NO_EXTRAS = Extras()


@dataclass(frozen=True)
class _Measured:
    """What was measured of a backbone, before it has a place."""

    backbone: Backbone
    facts: Ranked
    scores: HeadScores


def rank_backbones(
    config: FitConfig,
    candidates: Candidates,
    limits: Limits,
    say: Say,
    extras: Extras = NO_EXTRAS,
) -> Ranking:
    """Returns the candidates in order.

    Features are cached like those of `fit`: an interrupted ranking resumes with the first image
    that has none, and neither a ranking with another seed nor a later fit computes them again.

    Args:
        config: The settings that the user gave; those of data, images and cache are read.
        candidates: The backbones.
        limits: Time for the ranking and per image.
        say: Called with each progress message.
        extras: What else to measure of the best backbone.

    Raises:
        UsageError: There are no such data, or too few images; or no backbone is left.
        DataError: The data cannot be used.
    """
    start = time.monotonic()
    pool = _pool(config, extras)
    say("\n".join(describe_ranking(pool, candidates, limits)) + "\n")
    measured: list[_Measured] = []
    skipped = list(candidates.skipped)
    deadline = start + 60 * (limits.max_minutes or math.inf)
    for backbone in _same_size_together(pool, candidates.backbones):
        found = _measure(pool, backbone, limits, deadline)
        if isinstance(found, Skipped):
            skipped.append(found)
            say(f"{found.backbone}: not ranked, {found.reason}")
        else:
            measured.append(found)
            say(_progress_line(found.facts, pool.labeled.metric))
    if not measured:
        reasons = "; ".join(describe_skipped(skipped))
        raise UsageError(f"No backbone was ranked: {reasons}. Raise the limits, or name others.")
    best, ranked = _ordered(pool, measured)
    return Ranking(
        data=pool.source.name,
        num_images=pool.num_images,
        num_classes=pool.labeled.num_classes,
        num_folds=pool.labeled.num_folds,
        seed=config.seed,
        is_limited=pool.is_limited,
        backbones=ranked,
        skipped=tuple(skipped),
        outlook=_outlook(pool, best, config.seed) if extras.learning_curve else None,
        stages=_stages(pool, best, say) if extras.stages else (),
        metric=pool.labeled.metric,
        labels=pool.kind_of_labels,
    )


def _pool(config: FitConfig, extras: Extras) -> Pool:
    """Returns the images, after a check that their labels have what is asked for.

    Raises:
        UsageError: A learning curve of anything but one class per image is asked for.
    """
    pool = Pool(config, NUM_FOLDS)
    if extras.learning_curve:
        refuse_several_labels(pool.source, "A learning curve (--learning-curve)")
    return pool


@contextlib.contextmanager
def saying_how_to_resume() -> Iterator[None]:
    """Adds to an interruption that repeating the command resumes the ranking.

    Raises:
        InterruptionError: A signal was received.
    """
    try:
        yield
    except InterruptionError as error:
        raise InterruptionError(
            error.number,
            "Interrupted. Repeat the command to resume: features that were computed are cached.",
        ) from None


def describe_ranking(pool: Pool, candidates: Candidates, limits: Limits) -> list[str]:
    """Returns the plan of a ranking as lines of text."""
    source = pool.source
    used = [name for name in source.splits if name != "test"]
    counts = ", ".join(f"{name} {len(source.splits[name]):,}" for name in used)
    limited = " (a part; raise --train-examples for more)" if pool.is_limited else ""
    lines = [
        plan_row("data", f"{source.name}, {pool.kind_of_labels}"),
        plan_row("images", f"{counts}{limited}"),
        *(plan_row("", f"note: {note}") for note in source.notes),
        plan_row("backbones", ", ".join(one.name for one in candidates.backbones)),
        *(plan_row("not ranked", line) for line in describe_skipped(candidates.skipped)),
        plan_row(
            "scores",
            f"{pool.labeled.metric.name} of a linear head, {NUM_FOLDS}-fold cross-validation; "
            f"LogME{'' if pool.labeled.special in (MULTI_LABEL, NUMERIC) else '; H-score'}",
        ),
    ]
    if limits.max_minutes is not None:
        lines.append(plan_row("time budget", readable_seconds(60 * limits.max_minutes)))
    return lines


def _same_size_together(pool: Pool, backbones: Sequence[Backbone]) -> list[Backbone]:
    """Returns the backbones so that images are decoded once per size, the smallest first."""
    taken = [one for one in backbones if _is_large_enough(pool, one)]
    rest = [one for one in backbones if one not in taken]
    sizes = {one.name: sides(pool.decided(one).input_size) for one in taken}
    return [*sorted(taken, key=lambda one: (sizes[one.name], one.num_parameters)), *rest]


def _is_large_enough(pool: Pool, backbone: Backbone) -> bool:
    return min(sides(pool.decided(backbone).image_size)) >= backbone.min_size


def _measure(
    pool: Pool, backbone: Backbone, limits: Limits, deadline: float
) -> _Measured | Skipped:
    """Returns the scores and costs of a backbone, or why it was skipped."""
    start = time.monotonic()
    if start > deadline:
        return Skipped(backbone.name, "the time budget was exhausted")
    if not _is_large_enough(pool, backbone):
        return Skipped(backbone.name, f"it needs images of at least {backbone.min_size} pixels")
    config = pool.decided(backbone)
    pool.images(config)  # unreadable images are found before anything is built
    classifier = pool.built(backbone, config)
    function = FeatureFunction.of(classifier.features, config, classifier.reading.name)
    milliseconds = milliseconds_of(classifier.model, config.input_size)
    if milliseconds > (limits.max_milliseconds or math.inf):
        return Skipped(backbone.name, f"it takes {milliseconds:.1f} ms per image")
    expected = pool.num_missing(function, config) * milliseconds / 1000
    if time.monotonic() + expected > deadline:
        return Skipped(backbone.name, "its features would exceed the time budget")
    features = pool.features(function, config)
    num_parameters = classifier.num_parameters()
    del classifier, function
    keras.backend.clear_session()  # the next may be as large as the memory
    scores = HeadScores.of(out_of_fold(features, pool.labeled), pool.labeled)
    facts = Ranked(
        backbone=backbone.name,
        metric=scores.metric,
        interval=scores.interval,
        log_loss=scores.log_loss,
        logme=logme_of(features, pool.labeled),
        h_score=h_score_of(features, pool.labeled),
        imagenet_top1=backbone.imagenet_top1,
        milliseconds=milliseconds,
        parameters=backbone.num_parameters,
        megabytes=num_parameters * _BYTES_PER_PARAMETER / 1e6,
        image_size=config.image_size,
        seconds=time.monotonic() - start,
    )
    return _Measured(backbone, facts, scores)


def _ordered(pool: Pool, measured: Sequence[_Measured]) -> tuple[_Measured, tuple[Ranked, ...]]:
    """Returns the best, and all with their groups, the best first."""
    facts, goodness = [one.facts for one in measured], pool.labeled.metric.goodness
    places = order(
        [(one.logme, one.h_score, one.imagenet_top1) for one in facts],
        [one.log_loss for one in facts],
    )
    ordered = [measured[place] for place in places]
    numbers = groups(
        len(ordered),
        lambda one, other: ordered[one].scores.is_worse_than(ordered[other].scores, pool.labeled),
    )
    front = pareto_front(
        [goodness(one.facts.metric) for one in ordered],
        [one.facts.milliseconds for one in ordered],
    )
    return ordered[0], tuple(
        dataclasses.replace(one.facts, group=group, pareto=pareto)
        for one, group, pareto in zip(ordered, numbers, front, strict=True)
    )


def _outlook(pool: Pool, best: _Measured, seed: int) -> Outlook:
    """Returns the learning curve of the best head, and what it reaches on random weights."""
    features = pool.features_of(best.backbone, None)
    is_correct = best.scores.is_correct
    curve = None if is_correct is None else learning_curve(features, pool.labeled, is_correct, seed)
    probabilities = out_of_fold(pool.features_of(best.backbone, "none"), pool.labeled)
    scores = HeadScores.of(probabilities, pool.labeled)
    return Outlook(curve, scores.metric, scores.interval)


def _stages(pool: Pool, best: _Measured, say: Say) -> tuple[StageScore, ...]:
    """Returns the scores of the head on each stage of the best backbone.

    Their features are those that `fit --head-stages all` computes. There are no scores of a network
    whose stages cannot be read.
    """
    config = pool.decided(best.backbone)
    config = dataclasses.replace(config, head=dataclasses.replace(config.head, stages="all"))
    try:
        classifier = pool.built(best.backbone, config)
    except UsageError as error:  # of NASNet, each cell reads two
        say(f"The stages of {best.backbone.name} are not compared. {error}")
        return ()
    function = FeatureFunction.of(classifier.features, config, classifier.reading.name)
    features, sizes = pool.features(function, config), stage_sizes(classifier)
    return tuple(stage_scores(features, sizes, pool.labeled, best.scores))


def _progress_line(one: Ranked, metric: Metric) -> str:
    """Returns the line that is shown when a backbone is done."""
    return (
        f"{one.backbone}: {metric.name} {metric.shown(one.metric)} "
        f"({metric.interval_shown(one.interval)}), {one.milliseconds:.1f} ms per image, ranked in "
        f"{readable_seconds(one.seconds)}"
    )
