import numpy as np
import pytest

from tfxfer.models.standardization import Standardization


def test_standardized_features_have_one_scale_and_constant_ones_do_not_explode():
    generator = np.random.default_rng(0)
    features = generator.normal([5, -1, 0, 2], [100, 1, 0, 1e-6], (50, 4)).astype("float32")
    scale = Standardization.of(features)
    standard = scale.apply(features)
    assert standard.dtype == np.float32
    assert standard.mean(axis=0)[:3] == pytest.approx([0, 0, 0], abs=1e-4)
    assert standard.std(axis=0) == pytest.approx([1, 1, 0, 0], abs=1e-3)
    another = features + np.float32(0.01)
    assert np.abs(scale.apply(another) - standard)[:, 2:].max() < 0.02


def test_an_example_of_weight_two_is_standardized_by_as_two():
    generator = np.random.default_rng(0)
    features = generator.normal([5, -1, 0], [100, 1, 0], (50, 3)).astype("float32")
    counts = np.arange(50) % 3  # 0, 1 and 2
    weights = (counts / counts.mean()).astype("float32")
    ours = Standardization.of(features, weights)
    copies = Standardization.of(features[np.repeat(np.arange(50), counts)])
    assert ours.mean.dtype == copies.mean.dtype == np.float32
    assert ours.mean == pytest.approx(copies.mean, rel=1e-5)
    assert ours.std == pytest.approx(copies.std, rel=1e-5)
