"""Makes a trained classifier cautious: it tells unknown images, and gives prediction sets."""

import dataclasses
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from tfxfer.config.decided import DecidedFit
from tfxfer.data.batches import evaluation_batches
from tfxfer.data.cache import Cache
from tfxfer.data.carving import deal
from tfxfer.data.contents import distinct
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.order import Numbers
from tfxfer.data.image.readability import naming_unreadable_images
from tfxfer.data.seen import BoundSource
from tfxfer.data.source import Split
from tfxfer.errors import UsageError
from tfxfer.evaluation.cautioning import (
    MOST_KEPT,
    Calibrating,
    Rates,
    check_number,
    make_cautious,
)
from tfxfer.inference.caution import Caution
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.inference.saved_model import limits_of
from tfxfer.models.heads import with_features
from tfxfer.runs.scores.caution import MeasuredRates
from tfxfer.system.devices import without_xla
from tfxfer.system.progress import Progress

Floats = npt.NDArray[np.float32]

# Among so many training images, drawn at random, those to keep are chosen.
_CANDIDATES = 2 * MOST_KEPT

_TOGETHER = 64

# The name of the images that a fit sets aside, as of a split, and what they are.
SET_ASIDE = "calibration"
FROM_VALIDATION = "set aside from validation"


@dataclass(frozen=True)
class CalibrationImages:
    """The images that the limits are taken from.

    Attributes:
        images: The images.
        labels: As the model numbers its classes, in the order of the images.
        name: What they are, in words.
        is_independent: Whether they neither chose the epoch nor fitted the temperature.
    """

    images: Images
    labels: npt.NDArray[np.int64]
    name: str
    is_independent: bool


def halves_of_validation(split: Split, seed: int) -> tuple[Split, Split]:
    """Returns the images of validation that choose the epoch, and those that are set aside.

    Stratified by class; exact duplicates and groups are in one half. The content decides which is
    where, so that an export later finds the same images.

    Args:
        split: Validation.
        seed: Of the run.

    Examples:
        >>> from tfxfer.data.opening import open_as_it_is
        >>> split = open_as_it_is("digits").splits["train"]
        >>> [len(half) for half in halves_of_validation(split, seed=0)]
        [899, 898]
    """
    halves = deal(split.labels, split.digests(), 2, (seed, 2), split.groups)
    first, second = (split.select(np.flatnonzero(halves == half)) for half in (0, 1))
    return first, second


def with_images_set_aside(validation: Images, config: DecidedFit) -> dict[str, Images]:
    """Returns validation without the images that later calibrate what is unknown, and these.

    Args:
        validation: The images of validation.
        config: The settings of the fit.

    Raises:
        UsageError: They are too few for the rates that were asked for.
    """
    halves = halves_of_validation(validation.split, config.seed)
    check_number(len(halves[1]), Rates(config.unknown_rate, config.coverage))
    cache = Cache.of(config)
    images = (
        Images(half, config.frame, config.memory_bytes, cache, by_content=True) for half in halves
    )
    return dict(zip(("validation", SET_ASIDE), images, strict=True))


def choosing_images(trained: TrainedClassifier, source: BoundSource) -> BoundSource:
    """Returns data with the splits of a fit that set images of validation aside.

    Its validation are the images that chose the epoch, and the others are a split of their own. Of
    other data, and of models that set nothing aside, all is as it was.

    Args:
        trained: The classifier.
        source: Data to evaluate it on.
    """
    seed, validation = _seed_of_halves(trained), source.splits.get("validation")
    if seed is None or validation is None:
        return source
    seen = None if trained.seen is None else trained.seen.digests.get("validation")
    if seen is not None:
        own = distinct(validation.digests()[:, : seen.shape[1]])
        if not np.array_equal(own, distinct(seen)):
            return source
    if trained.seen is not None and trained.seen.is_joined:  # no images chose the epoch
        splits = {name: one for name, one in source.splits.items() if name != "validation"}
        return dataclasses.replace(source, splits={**splits, SET_ASIDE: validation})
    halves = halves_of_validation(validation, seed)
    splits = dict(zip(("validation", SET_ASIDE), halves, strict=True))
    return dataclasses.replace(source, splits={**source.splits, **splits})


def _seed_of_halves(trained: TrainedClassifier) -> int | None:
    """Returns the seed that set images of validation aside; None if none were.

    An export has no settings, but its limits say what they are from.
    """
    if trained.config is not None:
        return trained.config.seed if trained.config.unknown else None
    limits, seen = limits_of(trained), trained.seen
    if limits is None or limits.calibrated_on != FROM_VALIDATION or seen is None:
        return None
    return seen.carving.seed


def caution_of(
    trained: TrainedClassifier, train: Images, calibrating: CalibrationImages, rates: Rates
) -> Caution:
    """Returns what a classifier calls unknown, and the limit of its prediction sets.

    Args:
        trained: The classifier.
        train: Its training images.
        calibrating: Images that it was not trained on.
        rates: The rates to keep.

    Raises:
        UsageError: There are too few images.
        DataError: An image cannot be read.
    """
    seed = 0 if trained.config is None else trained.config.seed
    features, probabilities = _outputs(trained, calibrating.images, SET_ASIDE)
    limits = Calibrating(
        features,
        probabilities,
        calibrating.labels,
        calibrating.name,
        calibrating.is_independent,
    )
    rows, _ = _outputs(trained, train, "train", _some(len(train), seed))
    return make_cautious(rows, limits, rates, seed)


def measured_rates(trained: TrainedClassifier, images: Images, name: str) -> MeasuredRates | None:
    """Returns the rates of a cautious classifier on images; None if it is not cautious.

    Args:
        trained: The classifier.
        images: Images that neither it nor its limits have seen.
        name: Of their split.
    """
    if trained.caution is None:
        return None
    features, probabilities = _outputs(trained, images, name)
    judged = trained.caution.judge(features, probabilities)
    return MeasuredRates(
        split=name,
        num_examples=len(images),
        unknown_rate=float(judged.unknown.mean()),
        coverage=float(judged.in_set[np.arange(len(images)), images.labels].mean()),
        mean_size=float(judged.in_set.sum(axis=1).mean()),
    )


def with_caution(
    trained: TrainedClassifier, source: BoundSource, rates: Rates
) -> TrainedClassifier:
    """Returns a classifier that also tells unknown images, and gives prediction sets.

    The limits are from the images that its fit set aside or, if it did not, from test: neither
    chose the epoch nor fitted a temperature. Without either they are from validation, and the
    record says that it did.

    Args:
        trained: A classifier of one class per image.
        source: Its data.
        rates: The rates to keep.

    Raises:
        UsageError: The model or the data are not suited, or there are too few images.
        DataError: An image cannot be read.
    """
    _check(trained, source)
    split, name, is_independent = _calibration_split(trained, source)
    calibrating = CalibrationImages(
        Images(split, trained.frame, memory_bytes=0),
        trained.labels(source, split),
        name,
        is_independent,
    )
    train = Images(source.everything["train"], trained.frame, memory_bytes=0)
    caution = caution_of(trained, train, calibrating, rates)
    return dataclasses.replace(trained, caution=caution)


def _calibration_split(trained: TrainedClassifier, source: BoundSource) -> tuple[Split, str, bool]:
    """Returns the images to calibrate on, what they are, and whether they are independent."""
    config = trained.config
    if config is not None and config.unknown and "validation" in source.splits:
        validation = source.splits["validation"]
        if trained.seen is not None and trained.seen.is_joined:
            return validation, FROM_VALIDATION, True
        return halves_of_validation(validation, config.seed)[1], FROM_VALIDATION, True
    name = source.evaluation_split
    if name == "all":
        raise UsageError(
            f"--unknown needs images that the model was not trained on, but '{source.name}' has "
            "neither a test nor a validation split of such images."
        )
    return source.splits[name], name, name == "test"


def _check(trained: TrainedClassifier, source: BoundSource) -> None:
    """Raises a UsageError if a classifier cannot be made cautious."""
    if trained.outputs.special:
        raise UsageError(
            f"Setting 'unknown' (--unknown) is for models with one class per image, but "
            f"'{trained.path}' is {trained.outputs.special}. Leave it out."
        )
    if "features" not in with_features(trained.model).output:
        raise UsageError(
            f"--unknown compares features, but the model '{trained.path}' was not built by tfxfer, "
            "so its features are unknown. Leave it out."
        )
    if not source.num_trained_on or "train" not in source.everything:
        raise UsageError(
            f"--unknown needs the images that the model was trained on, and '{source.name}' is not "
            "known to have them. Give the data of its run with --data, or leave it out."
        )


def _some(count: int, seed: int) -> Numbers:
    """Returns the numbers of all images, or of some where there are more than candidates."""
    if count <= _CANDIDATES:
        return Numbers(np.arange(count))
    return Numbers(np.sort(np.random.default_rng(seed).permutation(count)[:_CANDIDATES]))


def _outputs(
    trained: TrainedClassifier, images: Images, name: str, chosen: Numbers | None = None
) -> tuple[Floats, Floats]:
    """Returns the features and the probabilities of images, in their order."""
    model: keras.Model = without_xla(with_features(trained.model))
    count = len(images) if chosen is None else len(chosen)
    batches = evaluation_batches(images, _TOGETHER, chosen)
    features, probabilities = [], []
    with naming_unreadable_images(images.split), Progress(name, count, _TOGETHER) as progress:
        for number, (squares, _) in enumerate(batches.as_numpy_iterator(), start=1):
            # A smaller last batch would be compiled again.
            filled = np.resize(squares, (_TOGETHER, *squares.shape[1:])).astype(np.float32)
            found = model.predict_on_batch(filled)
            features.append(np.asarray(found["features"])[: len(squares)])
            probabilities.append(np.asarray(found["probabilities"])[: len(squares)])
            progress.update(number)
    return np.concatenate(features), np.concatenate(probabilities)
