"""Heads on some images of a fit, before it trains: what they make of changed images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from tfxfer.config.decided import DecidedFit
from tfxfer.data.cache import Cache
from tfxfer.data.contents import Integers
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.order import Places
from tfxfer.errors import UsageError
from tfxfer.planning.several_labels import objective_of
from tfxfer.ranking.cross_validation import FittedHead, fitted_head, out_of_fold
from tfxfer.ranking.judging.labeled import Labeled, check_folds
from tfxfer.ranking.judging.losses import Losses, is_above_noise, losses_of
from tfxfer.ranking.ranking import NUM_FOLDS
from tfxfer.training.examples import Floats
from tfxfer.training.frozen.changes import Changes
from tfxfer.training.frozen.features import FeatureFunction
from tfxfer.training.phases import Materials
from tfxfer.training.transfer import PreparedFit

# Most images that are looked at. Their features are needed for training in any case; of changed
# images, those of training images only where a decision asks for them.
_MOST = {"train": 2_000, "validation": 128}

# The changes of a number of images.
ChangesOf = Callable[[int], Changes]


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class Compared:
    """Losses of a head on images, and on changed versions of the same images.

    Attributes:
        plain: Loss of each image, (num_examples,).
        changed: Loss of its changed version.
        units: What each image cannot be separated from; see `Labeled`.
    """

    plain: Losses
    changed: Losses
    units: Integers

    @property
    def means(self) -> tuple[float, float]:
        """Mean losses of the images, and of their changed versions."""
        return float(self.plain.mean()), float(self.changed.mean())

    def is_worse(self, times: float) -> bool:
        """Tells whether changed images lose more than so many times as much, and than noise."""
        far_worse = self.changed.sum() > times * self.plain.sum()
        return bool(far_worse) and is_above_noise(self.changed - self.plain, self.units)


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class Heads:
    """Heads on some images of a fit.

    Attributes:
        given: The materials of the fit.
        function: The frozen backbone.
        images: Some training images, and some of validation.
        labeled: Their labels and folds, split by split.
        features: Their features, (num_examples, num_features).
        loss: What the loss of a head is called.
    """

    given: Materials
    function: FeatureFunction
    images: Sequence[Images]
    labeled: Labeled
    features: Floats
    loss: str

    @classmethod
    def of(cls, fitting: PreparedFit) -> Self:
        """Returns the heads of a fit.

        Raises:
            UsageError: There are too few images for folds.
            InterruptionError: A signal was received.
        """
        given, source = fitting.materials, fitting.run.plan.source
        images = [_some_of(given.images[name], most) for name, most in _MOST.items()]
        labeled = Labeled.of(
            [one.split for one in images],
            NUM_FOLDS,
            given.config.seed,
            len(source.class_names),
            objective_of(source, given.config),
            source.tasks,
        )
        check_folds(labeled, NUM_FOLDS)
        if len(np.unique(labeled.folds[: len(images[0])])) < 2:
            raise UsageError("All training images are in one fold.")
        function = given.classifiers.first_features
        rows = [
            _features(function, one, name, given.config)
            for name, one in zip(_MOST, images, strict=True)
        ]
        loss = "Huber loss" if labeled.objective.is_number else "log loss"
        return cls(given, function, images, labeled, np.concatenate(rows), loss)

    @property
    def num_train(self) -> int:
        """How many of the images are training images; they come first."""
        return len(self.images[0])

    def compared(self, changes: ChangesOf, name: str, most: int) -> Compared:
        """Returns the losses of validation images, and of changed versions of them.

        The head is trained on the training images; a fold of them chooses its penalty.

        Args:
            changes: How images are changed.
            name: What changed images are called in the progress line.
            most: Most images that are compared.
        """
        plain = self.features[self.num_train :]
        labels = self.labeled.labels[self.num_train :]
        units = self.labeled.units[self.num_train :]
        rows = _evenly(len(plain), most)
        changed = self._changed(1, changes, name, most)
        before, after = (
            losses_of(self._head(some), labels[rows], self.labeled.objective)
            for some in (plain[rows], changed)
        )
        return Compared(before, after, units[rows])

    def losses_of_trained(self, changes: ChangesOf, name: str) -> tuple[float, float]:
        """Returns the cross-validated loss of heads trained without and with changed images."""
        labeled = self.labeled
        changed = np.concatenate([self._changed(place, changes, name) for place in (0, 1)])
        without, also = (
            losses_of(
                out_of_fold(self.features, labeled, more), labeled.labels, labeled.objective
            ).mean()
            for more in (None, changed)
        )
        return float(without), float(also)

    @cached_property
    def _head(self) -> FittedHead:
        labeled = self.labeled
        features, labels = self.features[: self.num_train], labeled.labels[: self.num_train]
        is_fold = labeled.folds[: self.num_train] == labeled.folds[0]
        return fitted_head(
            (features[~is_fold], labels[~is_fold]),
            (features[is_fold], labels[is_fold]),
            labeled.num_outputs,
            labeled.objective,
        )

    def _changed(
        self, place: int, changes: ChangesOf, name: str, most: int | None = None
    ) -> Floats:
        """Returns the features of changed images of a split, or of some of them."""
        images = self.images[place]
        images = images if most is None else _some_of(images, most)
        what = f"{tuple(_MOST)[place]}, {name}"
        return _features(self.function, images, what, self.given.config, changes(len(images)))


def _features(
    function: FeatureFunction,
    images: Images,
    name: str,
    config: DecidedFit,
    changes: Changes | None = None,
) -> Floats:
    """Returns the features of images, or of changed ones, in the order of their split."""
    told = images, name, config.batch_size, Cache.of(config), changes
    rows = function(*told, keep=changes is None and name == "validation")
    return images.in_split_order(rows)


def _some_of(images: Images, most: int) -> Images:
    """Returns as many of some images, evenly from all of them."""
    count = len(images)
    if count <= most:
        return images
    return images.without(Places(np.setdiff1d(np.arange(count), _evenly(count, most))))


def _evenly(count: int, most: int) -> Integers:
    """Returns as many of `count` numbers, evenly from all of them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))
