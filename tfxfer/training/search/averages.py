"""Averages of the trials of a search, or of its choice and the network before fine-tuning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfxfer.planning.portfolio import Portfolio, Way
from tfxfer.runs.search.average import AverageRecord
from tfxfer.runs.search.journals import TrialJournal
from tfxfer.training.averaging.choosing import Average, Ingredient, greedy_soup
from tfxfer.training.averaging.phase import ValidationScorer, interpolate, record_of
from tfxfer.training.search.choosing import Trial
from tfxfer.training.search.trial import Laboratory


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class AveragedTrials:
    """What averaging the trials of a search gave.

    Attributes:
        record: Its record.
        kept: The average that is better than the way that was chosen; None if there is none.
    """

    record: AverageRecord
    kept: Average | None

    def trial(self) -> list[Trial]:
        """Returns the average as one more trial that was chosen among; nothing if none is kept."""
        if self.kept is None:
            return []
        scores = vars(self.kept.found.scores)
        return [Trial(self.record.what, 0, 1, **scores, seconds=0.0)]


def average_trials(
    laboratory: Laboratory,
    journal: TrialJournal,
    way: Way,
    trials: Sequence[Trial],
    weights: Mapping[str, list[np.ndarray]],
    ways: Portfolio,
) -> AveragedTrials:
    """Averages the weights of the best epochs of the trials, or interpolates the chosen ones.

    All trials began at the same head, and differ in what of the network they trained: the average
    is scored by the one of them that trained the most.

    Args:
        laboratory: What the trials share.
        journal: A journal for the training of the way, none of which is done.
        way: The way that was chosen.
        trials: The trials.
        weights: The weights of the best epoch of each trial that has one, by way; the chosen one is
            among them.
        ways: The portfolio.
    """
    chosen = weights[way.name]
    is_soup = way.finetune.average == "soup"
    deepest = evaluated_way(ways, way, list(weights) if is_soup else [])
    scorer = ValidationScorer(
        laboratory.given, laboratory.source(deepest), laboratory.training(deepest, journal)
    )
    without = scorer.of(chosen)
    if not is_soup:
        before = laboratory.start.weights
        kept, record = interpolate(before, Ingredient(way.name, chosen), without, scorer)
        return AveragedTrials(record, kept)
    others = sorted(
        (trial for trial in trials if trial.way in weights and trial.way != way.name),
        key=lambda trial: trial.loss,
    )
    names = [way.name, *(trial.way for trial in others)]
    kept = greedy_soup([Ingredient(name, weights[name]) for name in names], without, scorer)
    return AveragedTrials(record_of("soup", "trial", len(names), without, kept), kept)


def evaluated_way(portfolio: Portfolio, way: Way, members: Sequence[str]) -> Way:
    """Returns the way whose trained part has all that differs between some ways.

    Args:
        portfolio: The portfolio. Its deeper ways train all of the backbone.
        way: The way that was chosen.
        members: Names of ways whose weights are averaged; empty if none are.
    """
    deeper = [one for one in portfolio.deeper if one.name in members]
    return deeper[0] if deeper else way
