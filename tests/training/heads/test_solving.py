import numpy as np

from tfxfer.models.standardization import Standardization
from tfxfer.training.examples import Examples
from tfxfer.training.heads.solving import StandardizedFeatures


def test_both_splits_are_on_the_scale_of_the_training_features():
    generator = np.random.default_rng(0)
    labels, weights = np.arange(20) % 2, generator.uniform(0.5, 2, 20).astype(np.float32)
    train = Examples(generator.normal(3, 5, (20, 4)).astype(np.float32), labels, weights)
    held_out = Examples(generator.normal(3, 5, (6, 4)).astype(np.float32), labels[:6])
    found = StandardizedFeatures.of(train, held_out)
    mean = np.average(train.features, axis=0, weights=weights)
    std = np.sqrt(np.average((train.features - mean) ** 2, axis=0, weights=weights))
    assert isinstance(found.scale, Standardization)
    assert np.allclose(found.train.features, (train.features - mean) / std, atol=1e-5)
    assert np.allclose(found.validation.features, (held_out.features - mean) / std, atol=1e-5)
    assert found.train.weights is weights
    assert found.validation.weights is None
