import keras
import numpy as np
import pytest
from conftest import SMALL_BACKBONE

from tfxfer.config.schema import FitConfig
from tfxfer.models.backbones.registry import find_backbone
from tfxfer.models.classifier import build_classifier
from tfxfer.models.replicas.copying import copied

CONFIG = FitConfig(image_size=32, input_size=32, precision="float32").with_settings(
    {"head": {"dropout": 0.2}}
)
IMAGES = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")


@pytest.mark.parametrize("unfreeze", ["all", "block_3", "none"])
def test_a_copy_computes_the_same_with_layers_of_its_own(unfreeze):
    backbone = find_backbone(SMALL_BACKBONE)
    classifier = build_classifier(backbone, CONFIG, CONFIG.head, "none", num_classes=5)
    classifier.unfreeze(unfreeze, "frozen")
    generator = np.random.default_rng(0)
    for variable in classifier.model.weights:
        variable.assign(generator.uniform(0.5, 1, variable.shape) * variable + 0.1)
    model = classifier.halves().whole
    copy = copied(model, shares_statistics=True)
    np.testing.assert_array_equal(model(IMAGES), copy(IMAGES))
    names = [[one.path.split("/")[-2:] for one in m.trainable_variables] for m in (model, copy)]
    assert names[0] == names[1]
    assert not {id(one) for one in copy.variables} & {id(one) for one in model.variables}


def test_the_statistics_of_batch_norm_are_shared_where_that_is_asked_for():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.BatchNormalization()(inputs))
    for shares in (False, True):
        assert copied(model, shares_statistics=shares).layers[-1].synchronized is shares
