"""Averages of the trials of a search, or of its choice and the network before fine-tuning."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfxfer.models.backbones.backbone import unfrozen_stages
from tfxfer.planning.portfolio import Portfolio
from tfxfer.planning.ways.way import Way
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
        way: A way that trains all that differs between what is averaged.
        kept: The average that is better than what it was made from; None if there is none.
        trials: The averages that are kept, as trials that were chosen among.
    """

    record: AverageRecord
    way: Way
    kept: Average | None
    trials: tuple[Trial, ...] = ()

    def then(self, later: "AveragedTrials") -> "AveragedTrials":
        """Returns this average and a later one, made from its weights, as one."""
        return AveragedTrials(
            dataclasses.replace(later.record, before=self.record),
            later.way,
            later.kept or self.kept,
            (*self.trials, *later.trials),
        )


@dataclass(frozen=True, eq=False)
class Averaging:
    """The averaging of what a search has trained.

    All trials began at the same head, and differ in what of the network they trained: an average is
    scored by a way that trains all that differs.

    Attributes:
        laboratory: What the trials share.
        journal: A journal for the training of a way, none of which is done.
        portfolio: The portfolio.
        trials: The trials.
        weights: The weights of the best epoch of trials, by way; the chosen one is among them.
    """

    laboratory: Laboratory
    journal: TrialJournal
    portfolio: Portfolio
    trials: Sequence[Trial]
    weights: Mapping[str, list[np.ndarray]]

    def of(self, way: Way) -> AveragedTrials:
        """Averages what the settings ask for; a thorough search tries a soup, then WiSE-FT.

        Args:
            way: The way that was chosen.
        """
        kind = way.finetune.average
        if kind != "none":
            return self._soup(way) if kind == "soup" else self._wise(way, self.weights[way.name])
        soup = self._soup(way)
        weights = self.weights[way.name] if soup.kept is None else soup.kept.found.weights
        return soup.then(self._wise(way if soup.kept is None else soup.way, weights))

    def _soup(self, way: Way) -> AveragedTrials:
        """Makes a greedy soup of the trials, the chosen one first."""
        others = sorted(
            (trial for trial in self.trials if trial.way in self.weights and trial.way != way.name),
            key=lambda trial: trial.loss,
        )
        names = [way.name, *(trial.way for trial in others)]
        deepest = self._evaluated(way, names)
        scorer = self._scorer(deepest)
        without = scorer.of(self.weights[way.name])
        kept = greedy_soup(
            [Ingredient(name, self.weights[name]) for name in names], without, scorer
        )
        record = record_of("soup", "trial", len(names), without, kept)
        return _averaged(record, self._evaluated(way, kept.members) if kept else way, kept)

    def _wise(self, way: Way, weights: Sequence[np.ndarray]) -> AveragedTrials:
        """Interpolates between weights that the way can train and those before fine-tuning."""
        scorer = self._scorer(way)
        before, without = self.laboratory.start.weights, scorer.of(weights)
        kept, record = interpolate(before, Ingredient(way.name, weights), without, scorer)
        return _averaged(record, way, kept)

    def _scorer(self, way: Way) -> ValidationScorer:
        laboratory = self.laboratory
        training = laboratory.training(way, self.journal)
        return ValidationScorer(laboratory.given, laboratory.source(way), training)

    def _evaluated(self, way: Way, members: Sequence[str]) -> Way:
        stages = self.laboratory.given.classifiers.trained.stages
        return evaluated_way(self.portfolio, way, members, stages)


def _averaged(record: AverageRecord, way: Way, kept: Average | None) -> AveragedTrials:
    if kept is None:
        return AveragedTrials(record, way, None)
    trial = Trial(record.what, 0, 1, **vars(kept.found.scores), seconds=0.0)
    return AveragedTrials(record, way, kept, (trial,))


def evaluated_way(
    portfolio: Portfolio, way: Way, members: Sequence[str], stages: Iterable[str]
) -> Way:
    """Returns a way that trains all that differs between some ways.

    Args:
        portfolio: The portfolio.
        way: The way that was chosen.
        members: Names of ways whose weights are averaged; empty if none are.
        stages: The stages of the backbone, from the image to the features.
    """
    names = list(stages)
    known = [one for one in portfolio.all_ways if one.name in members]
    both = [way, *known]
    deepest = max(both, key=lambda one: len(unfrozen_stages(names, one.finetune.unfreeze)))
    adapting = [one.finetune for one in both if one.finetune.batch_norm == "adapt"]
    if not adapting or deepest.finetune.batch_norm == "adapt":
        return deepest
    finetune = dataclasses.replace(deepest.finetune, batch_norm="adapt")
    return dataclasses.replace(deepest, finetune=finetune)
