"""The transferability scores of `ranking.scores` for labels of any kind."""

import numpy as np

from tfxfer.data.labels.kinds import MULTI_LABEL, NUMERIC
from tfxfer.data.labels.targets import Labels
from tfxfer.data.labels.tasks import MISSING
from tfxfer.ranking.judging.labeled import Labeled
from tfxfer.ranking.scores import logme, mean_evidence, shrinkage_h_score
from tfxfer.training.examples import Floats


def logme_of(features: Floats, labeled: Labeled) -> float:
    """Returns the LogME score: the mean log evidence per image.

    Of numbers, which are standardized, it is that of one regression (You et al. 2021,
    arXiv:2102.11005, section 4); of several labels the mean over those that some images have and
    some have not, each on the images where it is known; of tasks the mean over the tasks.

    Args:
        features: Shape (num_examples, num_features).
        labeled: The labels.
    """
    if labeled.special == MULTI_LABEL:
        return _logme_of_labels(features, labeled.labels)
    if labeled.special == NUMERIC:
        numbers = labeled.labels
        return mean_evidence(features, ((numbers - numbers.mean()) / numbers.std())[:, None])
    if labeled.tasks is None:
        return logme(features, labeled.labels)
    return float(np.mean([logme(*one) for one in _tasks(features, labeled)]))


def h_score_of(features: Floats, labeled: Labeled) -> float | None:
    """Returns the shrinkage H-score, of tasks their mean; None where an image has no class.

    Args:
        features: Shape (num_examples, num_features).
        labeled: The labels.
    """
    if labeled.special in (MULTI_LABEL, NUMERIC):
        return None
    if labeled.tasks is None:
        return shrinkage_h_score(features, labeled.labels)
    return float(np.mean([shrinkage_h_score(*one) for one in _tasks(features, labeled)]))


def _logme_of_labels(features: Floats, labels: Labels) -> float:
    """Returns the mean over labels; those that are known of the same images share the costs."""
    has, has_not = (labels == 1).any(axis=0), (labels == 0).any(axis=0)
    columns = labels[:, has & has_not]
    patterns, pattern_of = np.unique(~np.isnan(columns), axis=1, return_inverse=True)
    total = 0.0
    for place, is_known in enumerate(patterns.T):
        own = columns[is_known][:, pattern_of.reshape(-1) == place]
        total += own.shape[1] * mean_evidence(features[is_known], own)
    return float(total / columns.shape[1])


def _tasks(features: Floats, labeled: Labeled) -> list[tuple[Floats, Labels]]:
    """Returns features and classes of the images whose label is known, of each task with any."""
    if labeled.tasks is None:
        return []
    classes = labeled.tasks.chosen(labeled.labels).T
    known = [own != MISSING for own in classes]
    return [
        (features[some], own[some]) for own, some in zip(classes, known, strict=True) if some.any()
    ]
