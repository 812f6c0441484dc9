import keras
import numpy as np
import pytest

from tfxfer.models.stages.packing import pack, unpack


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_was_packed_is_unpacked_as_it_was(dtype):
    activations = keras.Input((2, 3, 4), dtype=dtype)
    features = [keras.Input((5,)), keras.Input((1,))]
    packed = keras.Model([activations, *features], pack(activations, features))
    assert packed.output_shape == (None, 2 * 3 * 4 + 5 + 1)
    assert packed.output.dtype == "float32"
    given = keras.Input(packed.output_shape[1:])
    found, parts = unpack(given, activations, features)
    unpacked = keras.Model(given, [found, *parts])
    generator = np.random.default_rng(0)
    values = [generator.normal(size=(7, 2, 3, 4)).astype(dtype)]
    values += [generator.normal(size=(7, size)).astype("float32") for size in (5, 1)]
    again = unpacked(packed(values))
    assert again[0].dtype == dtype
    for one, other in zip(values, again, strict=True):
        np.testing.assert_array_equal(one, np.asarray(other))
