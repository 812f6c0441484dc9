"""Galleries of made features, for tests of what is found by them."""

import numpy as np

from tfxfer.curation.gallery import Gallery
from tfxfer.data.contents import inseparable
from tfxfer.system.digests import ids_of


def gallery(features, labels, splits=None, groups=None):
    """Returns a gallery in which each image has a content of its own, that of its features."""
    features = np.asarray(features, np.float32)
    digests = ids_of((row.tobytes(),) for row in features)
    return Gallery(
        features=features,
        labels=np.asarray(labels, np.int64),
        splits=np.zeros(len(features), np.int64) if splits is None else np.asarray(splits),
        groups=groups,
        units=inseparable(digests, groups),
        digests=digests,
        numbers=np.arange(len(features)),
        images={},
    )


def blobs(num_each=20, num_classes=3, num_features=8, seed=0, spread=0.3):
    """Returns features of classes around centers of their own, and their labels."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(num_classes), num_each)
    centers = 1 + 2 * np.eye(num_classes, num_features)
    noise = generator.normal(size=(len(labels), num_features))
    return (centers[labels] + spread * noise).astype(np.float32), labels
