"""`fit --folds`: the accuracy of the head by cross-validation, before anything is trained."""

import numpy as np

from tfxfer.data.cache import Cache, places
from tfxfer.data.contents import inseparable
from tfxfer.data.image.dataset import Images
from tfxfer.data.splitting import joined
from tfxfer.errors import UsageError
from tfxfer.models.objectives import is_right
from tfxfer.ranking.cross_validation import cross_validated, out_of_fold
from tfxfer.ranking.folding.final import Judged, middle
from tfxfer.ranking.judging.head_scores import HeadScores, accuracy_interval
from tfxfer.ranking.judging.labeled import Labeled, check_folds
from tfxfer.runs.scores.folds import FoldsRecord
from tfxfer.training.phases import Materials

# The test images stay unseen, and those that are set aside.
_SPLITS = ("train", "validation")


def cross_validate(given: Materials, num_folds: int) -> Judged:
    """Returns what solved heads on features say of images that they were not trained on.

    Exact duplicates, and the groups of the data, stay in one fold. The features are cached, and the
    head phase uses the same. Sample weights are not used. A fit that trains nothing but such a head
    trains it on all images, with the median of the L2 penalties of the folds.

    Args:
        given: The materials of a fit; its classifier has its initial weights.
        num_folds: At least three.

    Raises:
        UsageError: There are too few images, or their features do not fit into memory.
    """
    labeled, config = labeled_images(given, num_folds), given.config
    probabilities, penalties = cross_validated(_features(given), labeled)
    scores, num_images = HeadScores.of(probabilities, labeled), len(labeled.labels)
    final = None
    if config.solves_only_a_head:
        penalty = config.head.penalty
        if penalty is None:
            penalty = middle(penalties)
        final = f"head with L2 penalty {penalty:g}, on all {num_images:,} images"
        config = config.with_settings({"head": {"penalty": penalty}})
    told = scores.metric, scores.interval, scores.log_loss, False, final
    record = FoldsRecord(num_folds, num_images, *told)
    splits = [one.split for one in _images(given)]
    whole = joined(*splits)
    return Judged(record, whole, whole, probabilities, len(splits[0]), config)


def labeled_images(given: Materials, num_folds: int) -> Labeled:
    """Returns the labels and folds of training and validation images; see `cross_validate`."""
    splits = [one.split for one in _images(given)]
    num_classes = int(given.classifiers.exact.head.output_shape[-1])
    labeled = Labeled.of(splits, num_folds, given.config.seed, num_classes)
    check_folds(labeled, num_folds, "Setting 'folds' (--folds)")
    return labeled


def head_scores(given: Materials, labeled: Labeled) -> HeadScores:
    """Returns the scores of the head on what `labeled_images` returned; see `cross_validate`."""
    return HeadScores.of(out_of_fold(_features(given), labeled), labeled)


def interval_of_accuracy(images: Images, probabilities: np.ndarray) -> tuple[float, float]:
    """Returns the 95% interval of the accuracy on the images of a split.

    Args:
        images: The images, of one class each.
        probabilities: Of the classes, by number, (num_examples, num_classes).
    """
    split = images.split
    place = places(images.digests, split.digests())
    groups = None if split.groups is None else [split.groups[one] for one in place]
    units = inseparable(images.digests, groups)
    return accuracy_interval(is_right(probabilities, images.labels), units)


def _features(given: Materials) -> np.ndarray:
    """Returns the features of all images, split by split, (num_examples, num_features)."""
    function = given.classifiers.first_features
    num_examples = sum(map(len, _images(given)))
    if 4 * num_examples * function.num_features > given.config.memory_bytes:
        raise UsageError(
            f"Setting 'folds' (--folds) needs the features of {num_examples:,} images in memory, "
            f"but they take more than {given.config.memory_gigabytes:g} GB. Raise "
            "--memory-gigabytes, or leave it out: with this many images validation is precise."
        )
    rows = []
    for name, images in zip(_SPLITS, _images(given), strict=True):
        found = function(images, name, given.config.batch_size, Cache.of(given.config))
        rows.append(images.in_split_order(found))
    return np.concatenate(rows)


def _images(given: Materials) -> list[Images]:
    """Returns the images of training and validation."""
    return [given.images[name] for name in _SPLITS]
