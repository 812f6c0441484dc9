import keras
import numpy as np
import tensorflow as tf

from tfxfer.models.objectives import SOFTMAX
from tfxfer.models.replicas.placement import Mirrored, OneDevice, placed, rate_factors_of


def dense():
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Dense(2)(inputs))


def test_one_device_trains_the_model_itself_on_the_batches_as_they_are():
    model, batches = dense(), tf.data.Dataset.range(2)
    place = placed(model, 1)
    assert type(place) is OneDevice
    assert place.model is model
    assert place.divided(batches) is batches
    assert place.objective(SOFTMAX) is SOFTMAX
    assert place.copy_of(model.variables[0]) is model.variables[0]
    assert rate_factors_of(place, model, {id(model.variables[0]): 2.0, 1: 3.0}) == {
        id(model.variables[0]): 2.0
    }


def test_a_copy_on_several_devices_begins_with_the_weights_and_gives_its_own_back():
    model = dense()
    place = Mirrored(model, 1)  # a CPU that was not divided has no second device
    model.variables[1].assign([1.0, 2.0])
    place.begin()
    np.testing.assert_array_equal(place.model.get_weights()[1], [1, 2])
    place.copy_of(model.variables[1]).assign([3.0, 4.0])
    np.testing.assert_array_equal(model.get_weights()[1], [1, 2])
    place.collect()
    np.testing.assert_array_equal(model.get_weights()[1], [3, 4])
    factors = {id(model.variables[0]): 2.0}
    (found,) = rate_factors_of(place, model, factors).items()
    assert found == (id(place.model.variables[0]), 2.0)
    assert rate_factors_of(place, model, None) is None
