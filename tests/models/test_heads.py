"""The head: what pools, what it is made of, and where it is found again."""

import keras
import numpy as np
import pytest

from tfxfer.config.schema import HeadConfig
from tfxfer.models.heads import build_head, find_pools, pool_features, with_features

MAPS = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)


@pytest.mark.parametrize(
    ("pooling", "names", "expected"),
    [
        ("average", ["average_pool"], MAPS.mean(axis=(1, 2))),
        ("max", ["max_pool"], MAPS.max(axis=(1, 2))),
        ("flatten", ["flatten_pool"], MAPS.reshape(1, 24)),
        (
            "both",
            ["average_pool", "max_pool"],
            np.concatenate([MAPS.mean(axis=(1, 2)), MAPS.max(axis=(1, 2))], axis=1),
        ),
    ],
)
def test_features_are_pooled_and_found_in_a_saved_classifier(pooling, names, expected):
    maps = keras.Input((2, 3, 4))
    features = pool_features(pooling, maps)
    head = build_head(HeadConfig(dropout=0.0), features.shape[-1], 2, seed=0)
    model = keras.Model(maps, keras.layers.Softmax()(head(features)))
    assert [layer.name for layer in find_pools(model)] == names
    found = with_features(model)(MAPS)
    np.testing.assert_allclose(found["features"], expected, rtol=1e-6)
    np.testing.assert_array_equal(found["probabilities"], [[0.5, 0.5]])  # zero logits


def test_a_model_of_others_has_no_features():
    maps = keras.Input((2, 3, 4))
    model = keras.Model(maps, keras.layers.Dense(2)(keras.layers.Flatten()(maps)))
    assert find_pools(model) == []
    assert list(with_features(model).output) == ["probabilities"]


def test_a_head_has_dropout_before_each_of_its_layers_and_its_seed_decides_its_weights():
    config = HeadConfig(dropout=0.25, hidden_units=(16, 8))
    head = build_head(config, 4, 3, seed=7)
    kinds = [type(layer).__name__ for layer in head.layers]
    assert kinds == ["InputLayer", *["Dropout", "Dense"] * 3]
    assert head.name == "head"
    for one, other in zip(
        head.get_weights(), build_head(config, 4, 3, seed=7).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
