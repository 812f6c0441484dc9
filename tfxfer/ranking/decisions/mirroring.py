"""Whether training mirrors images: not where left and right tell classes apart.

A mirror image of a photograph is another photograph of the same thing. That of a character, of a
sign that points to one side or of a left hand is one of something else.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from tfxfer.config.decided import DecidedFit
from tfxfer.config.schema import FitConfig
from tfxfer.data.cache import Cache
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.order import Places
from tfxfer.errors import UsageError
from tfxfer.planning.plan import Plan
from tfxfer.planning.resuming import first_asked
from tfxfer.planning.several_labels import objective_of
from tfxfer.ranking.cross_validation import out_of_fold, predicted
from tfxfer.ranking.decisions.recording import recorded
from tfxfer.ranking.judging.labeled import Labeled, check_folds
from tfxfer.ranking.judging.losses import Losses, is_above_noise, losses_of
from tfxfer.ranking.ranking import NUM_FOLDS
from tfxfer.system.files import write_json
from tfxfer.system.processes.team import current
from tfxfer.system.progress import Say
from tfxfer.system.run_layout import MIRRORING
from tfxfer.training.examples import Floats
from tfxfer.training.frozen.changes import Changes
from tfxfer.training.frozen.features import FeatureFunction
from tfxfer.training.phases import Materials
from tfxfer.training.transfer import PreparedFit

# A head that loses more than this times as much on mirror images, and by more than noise, puts
# flips in question. It is 0.9 to 1.4 on photographs, brain slices and metal strips, and 2.8 to 80
# on digits and arrows; see benchmarks/README.md.
_IN_QUESTION = 1.5

# Most images that are looked at. Mirror images of those of validation pass the backbone in any
# case, the others only where flips are in question.
_MOST = {"train": 2_000, "validation": 64}


@dataclass(frozen=True)
class Mirroring:
    """Whether training mirrors images, and why.

    Attributes:
        flip: Whether it does.
        plain: Loss of a head on validation images.
        mirrored: Its loss on their mirror images.
        trained: Cross-validated loss of heads trained without and with mirror images; empty unless
            that was in question.
        loss: What the loss is called.
    """

    flip: bool
    plain: float
    mirrored: float
    trained: tuple[float, ...] = ()
    loss: str = "log loss"

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns what `as_json` wrote."""
        values = {one.name: content[one.name] for one in dataclasses.fields(cls)}
        return cls(**values | {"trained": tuple(content["trained"])})

    def as_json(self) -> dict[str, Any]:
        """Returns its content in `mirroring.json`."""
        plain, mirrored, *trained = np.round([self.plain, self.mirrored, *self.trained], 6).tolist()
        losses = {"plain": plain, "mirrored": mirrored, "trained": trained}
        return dataclasses.asdict(self) | losses

    @property
    def sentence(self) -> str:
        """Why images are not mirrored.

        Examples:
            >>> Mirroring(False, 0.22, 1.46, (0.21, 0.38)).sentence
            'images are not flipped: the log loss of a head is 1.4600 on mirror images in place of \
0.2200, and training it on them, too, does not lower it (0.3800 in place of 0.2100)'
        """
        without, also = self.trained
        return (
            f"images are not flipped: the {self.loss} of a head is {self.mirrored:.4f} on mirror "
            f"images in place of {self.plain:.4f}, and training it on them, too, does not lower it "
            f"({also:.4f} in place of {without:.4f})"
        )


def with_mirroring(fitting: PreparedFit, asked: FitConfig, say: Say) -> PreparedFit:
    """Returns a fit that flips no images, if heads say that mirror images lose their label.

    Where the user left that open, a head on features of training images is tried on validation
    images and on their mirror images. If it does far worse on these, heads are cross-validated that
    are trained on mirror images, too. Images are still flipped if that helps.

    Args:
        fitting: A fit that was started or resumed, before its head phase.
        asked: The settings that the user gave.
        say: Called with each progress message.

    Raises:
        InterruptionError: A signal was received.
    """
    plan = fitting.run.plan
    found: Mirroring | None = None
    if fitting.run.journal.found is not None:  # the decision is that of before
        found = recorded(plan.run, MIRRORING, Mirroring.of_json)
    elif is_open(plan, asked):
        found = _mirroring_of(fitting)
        if found is not None:
            write_json(plan.run.decision(MIRRORING), found.as_json())
            if not found.flip:
                say(f"{found.sentence[0].upper()}{found.sentence[1:]}.\n")
    if found is None or found.flip:
        return fitting
    return fitting.with_plan(without_flips(plan, found))


def is_open(plan: Plan, asked: FitConfig) -> bool:
    """Tells whether images are flipped, the user left it open, and a head can decide it.

    Args:
        plan: The plan of a fit.
        asked: The settings that the user gave.
    """
    config = plan.config
    trains_on_flipped = config.finetune.epochs or config.head.augmented_views
    return (
        config.augment.flip
        and bool(trains_on_flipped)
        and config.weights != "none"
        and config.head.pooling != "flatten"
        and "validation" in plan.source.splits
        and current().count == 1
        and first_asked(plan.run, asked).augment.flip is None
    )


def without_flips(plan: Plan, why: Mirroring) -> Plan:
    """Returns a plan that flips no images, in no trial of a search, and says why."""
    return replace(
        plan.with_note(why.sentence),
        config=plan.config.with_settings({"augment": {"flip": False}}),
        portfolio=plan.portfolio and plan.portfolio.without_flips(),
    )


def _mirroring_of(fitting: PreparedFit) -> Mirroring | None:
    """Returns whether images are flipped; None if there are too few to say."""
    try:
        heads = _Heads.of(fitting)
    except UsageError:  # too few
        return None
    plain, mirrored = heads.losses_on_both()
    told = float(plain.mean()), float(mirrored.mean())
    loss = "Huber loss" if heads.labeled.objective.is_number else "log loss"
    units = heads.labeled.units[heads.num_train :]
    far_worse = mirrored.sum() > _IN_QUESTION * plain.sum()
    if not (far_worse and is_above_noise(mirrored - plain, units)):
        return Mirroring(True, *told, loss=loss)
    without, also = heads.losses_of_trained()
    return Mirroring(also < without, *told, (without, also), loss)


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class _Heads:
    """Heads on some images of a fit, and on their mirror images.

    Attributes:
        given: The materials of the fit.
        function: The frozen backbone.
        images: Some training images, and some of validation.
        labeled: Their labels and folds, split by split.
        features: Their features, (num_examples, num_features).
    """

    given: Materials
    function: FeatureFunction
    images: Sequence[Images]
    labeled: Labeled
    features: Floats

    @classmethod
    def of(cls, fitting: PreparedFit) -> Self:
        """Returns the heads of a fit.

        Raises:
            UsageError: There are too few images for folds.
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
        return cls(given, function, images, labeled, np.concatenate(rows))

    @property
    def num_train(self) -> int:
        """How many of the images are training images; they come first."""
        return len(self.images[0])

    def losses_on_both(self) -> tuple[Losses, Losses]:
        """Returns the loss of each validation image, and that of its mirror image.

        The head is trained on the training images; a fold of them chooses its penalty.
        """
        labeled = self.labeled
        features, plain = np.split(self.features, [self.num_train])
        trained_on, labels = np.split(labeled.labels, [self.num_train])
        is_fold = labeled.folds[: self.num_train] == labeled.folds[0]
        outputs = predicted(
            (features[~is_fold], trained_on[~is_fold]),
            (features[is_fold], trained_on[is_fold]),
            np.concatenate([plain, self._mirrored(1)]),
            labeled.num_outputs,
            labeled.objective,
        )
        of_plain, of_mirrored = (
            losses_of(some, labels, labeled.objective) for some in np.split(outputs, 2)
        )
        return of_plain, of_mirrored

    def losses_of_trained(self) -> tuple[float, float]:
        """Returns the cross-validated loss of heads trained without and with mirror images."""
        labeled, mirrored = self.labeled, np.concatenate([self._mirrored(0), self._mirrored(1)])
        without, also = (
            losses_of(
                out_of_fold(self.features, labeled, more), labeled.labels, labeled.objective
            ).mean()
            for more in (None, mirrored)
        )
        return float(without), float(also)

    def _mirrored(self, place: int) -> Floats:
        """Returns the features of the mirror images of a split."""
        images, name = self.images[place], f"{tuple(_MOST)[place]}, mirrored"
        changes = Changes.mirrored(len(images))
        return _features(self.function, images, name, self.given.config, changes)


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
    kept = np.linspace(0, count - 1, most).astype(np.int64)
    return images.without(Places(np.setdiff1d(np.arange(count), kept)))
