"""Whether training mirrors images: not where left and right tell classes apart.

A mirror image of a photograph is another photograph of the same thing. That of a character, of a
sign that points to one side or of a left hand is one of something else.
"""

import contextlib
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tfxfer.config.recipes import to_toml
from tfxfer.config.schema import FitConfig
from tfxfer.data.cache import Cache, places
from tfxfer.data.contents import Integers
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.order import Places
from tfxfer.data.labels.targets import Labels
from tfxfer.errors import UsageError
from tfxfer.planning.resuming import first_asked
from tfxfer.planning.several_labels import objective_of
from tfxfer.ranking.cross_validation import out_of_fold, predicted
from tfxfer.ranking.judging.labeled import Labeled, check_folds
from tfxfer.ranking.ranking import NUM_FOLDS
from tfxfer.runs.directory import replace_settings
from tfxfer.system.files import write_json
from tfxfer.system.processes.team import current
from tfxfer.system.progress import Say
from tfxfer.system.run_layout import MIRRORING
from tfxfer.training.examples import Floats
from tfxfer.training.features import Changes, FeatureFunction
from tfxfer.training.phases import Materials
from tfxfer.training.transfer import PreparedFit

_Losses = npt.NDArray[np.float64]

# A head that loses more than this times as much on mirror images, and more by two standard errors,
# puts flips in question. It is 0.9 to 1.4 on photographs, brain slices and metal strips, and 2.8
# to 80 on digits and arrows; see benchmarks/README.md.
_IN_QUESTION, _STANDARD_ERRORS = 1.5, 2.0

# Most images that are looked at. Mirror images of those of validation pass the backbone in any
# case, the others only where flips are in question.
_MOST = {"train": 2_000, "validation": 250}


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
    if not _is_open(fitting, asked):
        return fitting
    record = fitting.run.plan.run.decision(MIRRORING)
    if fitting.run.journal.found is not None:  # the decision is that of before
        told = record.read_text("utf-8") if record.is_file() else None
        found = None if told is None else Mirroring.of_json(json.loads(told))
    else:
        found = _mirroring_of(fitting)
        if found is not None:
            write_json(record, found.as_json())
            if not found.flip:
                say(f"{found.sentence[0].upper()}{found.sentence[1:]}.\n")
    return fitting if found is None or found.flip else _without_flips(fitting, found)


def _is_open(fitting: PreparedFit, asked: FitConfig) -> bool:
    """Tells whether images are flipped, the user left it open, and a head can decide it."""
    plan, config = fitting.run.plan, fitting.run.plan.config
    trains_on_flipped = config.finetune.epochs or config.head.augmented_views
    return (
        config.augment.flip
        and bool(trains_on_flipped)
        and config.weights != "none"
        and config.head.pooling != "flatten"
        and fitting.materials.is_validated
        and current().count == 1
        and first_asked(plan.run, asked).augment.flip is None
    )


def _mirroring_of(fitting: PreparedFit) -> Mirroring | None:
    """Returns whether images are flipped; None if there are too few to say."""
    heads = _Heads.of(fitting)
    with contextlib.suppress(UsageError):
        check_folds(heads.labeled, NUM_FOLDS)
        plain, mirrored = heads.losses_on_both()
        told = float(plain.mean()), float(mirrored.mean())
        loss = "Huber loss" if heads.labeled.objective.is_number else "log loss"
        if not _puts_in_question(plain, mirrored, heads.units_of_validation):
            return Mirroring(True, *told, loss=loss)
        trained = heads.loss_of_trained(), heads.loss_of_trained(also_mirrored=True)
        return Mirroring(trained[1] < trained[0], *told, trained, loss)
    return None


def _puts_in_question(plain: _Losses, mirrored: _Losses, units: Integers) -> bool:
    """Tells whether losses on mirror images are far higher, and by more than noise.

    Args:
        plain: Loss of each image, (num_images,).
        mirrored: Loss of its mirror image.
        units: What each cannot be separated from; see `Labeled`.
    """
    if mirrored.sum() <= _IN_QUESTION * plain.sum():
        return False
    differences = np.bincount(units, mirrored - plain)
    error = differences.std() * len(differences) ** 0.5
    return bool(differences.sum() > _STANDARD_ERRORS * error)


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class _Heads:
    """Heads on some images of a fit, and on their mirror images.

    Attributes:
        function: The frozen backbone.
        given: The materials of the fit.
        images: Some training images, and some of validation.
        labeled: Their labels and folds, split by split.
    """

    function: FeatureFunction
    given: Materials
    images: Sequence[Images]
    labeled: Labeled

    @classmethod
    def of(cls, fitting: PreparedFit) -> Self:
        """Returns the heads of a fit."""
        given, source = fitting.materials, fitting.run.plan.source
        exact, config = given.classifiers.exact, given.config
        images = [_some_of(given.images[name], most) for name, most in _MOST.items()]
        return cls(
            FeatureFunction.of(
                exact.features, replace(config, precision="float32"), exact.reading.name
            ),
            given,
            images,
            Labeled.of(
                [one.split for one in images],
                NUM_FOLDS,
                config.seed,
                len(source.class_names),
                objective_of(source, config),
                source.tasks,
            ),
        )

    @property
    def units_of_validation(self) -> Integers:
        """What each validation image cannot be separated from, from 0 without gaps."""
        units = self.labeled.units[len(self.images[0]) :]
        return np.unique(units, return_inverse=True)[1]

    def losses_on_both(self) -> tuple[_Losses, _Losses]:
        """Returns the loss of each validation image, and that of its mirror image.

        The head is trained on the training images; a fold of them chooses its penalty.

        Raises:
            UsageError: All of them are in one fold.
        """
        labeled, num_train = self.labeled, len(self.images[0])
        features, labels = self._features(0), labeled.labels[:num_train]
        is_fold = labeled.folds[:num_train] == labeled.folds[0]
        if is_fold.all():
            raise UsageError("The training images are inseparable.")
        both = [self._features(1), self._features(1, mirrored=True)]
        outputs = predicted(
            (features[~is_fold], labels[~is_fold]),
            (features[is_fold], labels[is_fold]),
            np.concatenate(both),
            labeled.num_outputs,
            labeled.objective,
        )
        labels = labeled.labels[num_train:]
        plain, mirrored = (self._losses(some, labels) for some in np.split(outputs, [len(labels)]))
        return plain, mirrored

    def loss_of_trained(self, *, also_mirrored: bool = False) -> float:
        """Returns the cross-validated loss of heads.

        Args:
            also_mirrored: Whether they are trained on the mirror images as well.
        """
        features = np.concatenate([self._features(0), self._features(1)])
        mirrored = None
        if also_mirrored:
            both = [self._features(place, mirrored=True) for place in (0, 1)]
            mirrored = np.concatenate(both)
        outputs = out_of_fold(features, self.labeled, mirrored)
        return float(self._losses(outputs, self.labeled.labels).mean())

    def _losses(self, outputs: Floats, labels: Labels) -> _Losses:
        """Returns the loss of each image, summed over its labels."""
        losses = np.asarray(self.labeled.objective.probability_losses(outputs, labels), np.float64)
        summed: _Losses = losses.reshape(len(losses), -1).sum(axis=1)
        return summed

    def _features(self, place: int, *, mirrored: bool = False) -> Floats:
        """Returns the features of the images of a split, in its order."""
        images, config, name = self.images[place], self.given.config, tuple(_MOST)[place]
        changes = Changes.mirrored(len(images)) if mirrored else None
        name = f"{name}, mirrored" if mirrored else name
        rows = self.function(images, name, config.batch_size, Cache.of(config), changes)
        return rows[places(images.split.digests(), images.digests)]


def _some_of(images: Images, most: int) -> Images:
    """Returns as many of some images, evenly from all of them."""
    count = len(images)
    if count <= most:
        return images
    kept = np.linspace(0, count - 1, most).astype(np.int64)
    return images.without(Places(np.setdiff1d(np.arange(count), kept)))


def _without_flips(fitting: PreparedFit, why: Mirroring) -> PreparedFit:
    """Returns a fit that flips no images, and writes its settings into the run."""
    plan = fitting.run.plan
    config = plan.config.with_settings({"augment": {"flip": False}})
    source = replace(plan.source, notes=(*plan.source.notes, why.sentence))
    portfolio = plan.portfolio and plan.portfolio.without_flips()
    plan = replace(plan, config=config, source=source, portfolio=portfolio)
    replace_settings(plan.run, to_toml(config))
    return replace(
        fitting,
        run=replace(fitting.run, plan=plan),
        materials=replace(fitting.materials, config=config),
    )
