import keras
import pytest
import tensorflow as tf

from tfxfer.precision import choose_precision, dtype_policy


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_auto_is_float32_on_a_cpu():
    assert choose_precision("auto") == "float32"


@pytest.mark.gpu
def test_auto_is_mixed_on_a_gpu():
    assert choose_precision("auto") in ("mixed_bfloat16", "mixed_float16")


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_policy_that_was_asked_for_is_kept(policy):
    assert choose_precision(policy) == policy


def test_the_policy_holds_inside_and_the_old_one_comes_back():
    before = keras.config.dtype_policy().name
    with pytest.raises(ZeroDivisionError), dtype_policy("mixed_bfloat16"):
        assert keras.layers.Dense(1).compute_dtype == "bfloat16"
        raise ZeroDivisionError
    assert keras.config.dtype_policy().name == before
