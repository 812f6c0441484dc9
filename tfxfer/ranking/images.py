"""The images that backbones are compared on, and their features."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tfxfer.config.decided import DecidedFit
from tfxfer.config.frame import Frame
from tfxfer.config.schema import FitConfig
from tfxfer.data.cache import Cache
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.screening import open_images
from tfxfer.data.labels.numbers import readable
from tfxfer.data.opening import divided, open_undivided
from tfxfer.data.source import Source
from tfxfer.data.weighting import without_weightless
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.classifier import Classifier, build_classifier
from tfxfer.planning.defaults import decide
from tfxfer.planning.plan import facts_of
from tfxfer.planning.several_labels import checked_labels, kind_of_labels, number_of, objective_of
from tfxfer.ranking.judging.labeled import Labeled, check_folds
from tfxfer.training.examples import Floats
from tfxfer.training.frozen.features import FeatureFunction

# Most images that are used unless limits are set: an accuracy of 0.9 is then known to 0.006. More
# would take hours with large backbones.
MOST_IMAGES = {"train_examples": 8_000, "validation_examples": 2_000}

# The splits that heads are trained and judged on. Test images never are.
_USED = ("train", "validation")


class Pool:
    """The images of a dataset that backbones are compared on, with their folds.

    Attributes:
        source: The opened data. "test" is among its splits only if it was split off: another seed
            then puts other images there, so their features are cached, too.
        labeled: Labels and folds of the train and validation images, in the order of their splits.
        is_limited: Whether there are more images, which are not used.
    """

    def __init__(self, config: FitConfig, num_folds: int, source: Source | None = None) -> None:
        """Opens the data of the settings.

        Args:
            config: The settings that the user gave; those of data and images are read.
            num_folds: Number of folds.
            source: The data, already opened for a fit, to be used as they are.

        Raises:
            UsageError: There are no such data, or too few images for the folds.
            DataError: The data cannot be used.
        """
        self._num_folds = num_folds
        self._opened: tuple[Frame, dict[str, Images]] | None = None
        self._config, self.is_limited = config, False
        if source is not None:
            self._use(source, set(_USED))
            return
        whole = open_undivided(config)
        source = divided(whole, config)
        limits = {
            name: most
            for name, most in MOST_IMAGES.items()
            if config.get(name) is None and len(source.splits[name.split("_")[0]]) > most
        }
        self.is_limited = bool(limits)
        if limits:
            source = divided(whole, config.with_settings(limits))
        self._config, source = checked_labels(config, without_weightless(source))
        was_split_off = "test" not in whole.splits and not limits
        self._use(source, {*_USED, "test"} if was_split_off else set(_USED))

    def _use(self, source: Source, names: set[str]) -> None:
        """Uses some splits of a source."""
        splits = {name: split for name, split in source.splits.items() if name in names}
        self.source = dataclasses.replace(source, splits=splits)
        self.labeled = Labeled.of(
            [self.source.splits[name] for name in _USED],
            self._num_folds,
            self._config.seed,
            len(source.class_names),
            objective_of(source, self._config),
            source.tasks,
        )
        check_folds(self.labeled, self._num_folds)

    @property
    def num_images(self) -> int:
        """Number of train and validation images."""
        return len(self.labeled.labels)

    @property
    def kind_of_labels(self) -> str:
        """How many classes or labels there are, or what the numbers are, in words."""
        number = number_of(self.source)
        if number is not None:
            return f"{number.name} {readable(number.low)} to {readable(number.high)}"
        return f"{len(self.source.class_names):,} {kind_of_labels(self.source)}"

    def decided(self, backbone: Backbone, weights: str | None = None) -> DecidedFit:
        """Returns the settings that `fit` decides for a backbone, in float32.

        Args:
            backbone: The backbone.
            weights: "none" for random weights, the same for all seeds; None for its own.
        """
        head = self._config.head
        if head.pooling == "flatten":  # far more features than a head can be solved for
            head = dataclasses.replace(head, pooling="average")
        asked = dataclasses.replace(
            self._config,
            backbone=backbone.name,
            weights=weights,
            precision="float32",
            effort="quick",
            head=head,
        )
        if weights == "none":
            asked = dataclasses.replace(asked, seed=0)
        return decide(asked, facts_of(self.source, backbone, self._config))

    def images(self, config: DecidedFit) -> Mapping[str, Images]:
        """Returns the images of each split at the input size of decided settings.

        Those of the last size are kept, so backbones of one input size decode them once.
        Unreadable images are left out, if they are to be skipped.

        Raises:
            DataError: An image is unreadable.
        """
        if self._opened is None or self._opened[0] != config.frame:
            self._opened = None  # frees the memory of the last size first
            images, skipped = open_images(self.source.splits, config)
            self._opened = config.frame, images
            if skipped:
                readable = {name: one.split for name, one in images.items()}
                source = dataclasses.replace(self.source, splits=readable)
                self._use(source, set(readable))
        return self._opened[1]

    def features(self, function: FeatureFunction, config: DecidedFit) -> Floats:
        """Returns the features of the train and validation images, in the order of their labels.

        Features of all splits are computed unless they are cached; see `FeatureFunction`.

        Args:
            function: The frozen backbone.
            config: Its decided settings.
        """
        cache, images = Cache.of(config), self.images(config)
        found = []
        for name, one in images.items():
            rows = function(one, f"{name}, {config.backbone}", config.batch_size, cache)
            if name in _USED:
                found.append(one.in_split_order(rows))
        return np.concatenate(found)

    def built(self, backbone: Backbone, config: DecidedFit) -> Classifier:
        """Returns a classifier of these images with the weights of decided settings."""
        num_classes, objective = self.labeled.num_classes, self.labeled.objective
        return build_classifier(
            backbone, config, config.head, config.weights, num_classes, objective
        )

    def features_of(self, backbone: Backbone, weights: str | None) -> Floats:
        """Returns the features of a backbone; see `features`.

        Args:
            backbone: The backbone.
            weights: As in `decided`.
        """
        config = self.decided(backbone, weights)
        classifier = self.built(backbone, config)
        function = FeatureFunction.of(classifier.features, config, classifier.reading.name)
        return self.features(function, config)

    def num_missing(self, function: FeatureFunction, config: DecidedFit) -> int:
        """Returns how many images must pass the backbone, because nothing is cached of them."""
        cache = Cache.of(config)
        return sum(function.num_missing(one, cache) for one in self.images(config).values())
