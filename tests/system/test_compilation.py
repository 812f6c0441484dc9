import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxfer.errors import UsageError
from tfxfer.system.devices import choose_xla, without_xla


@pytest.fixture
def gpu(monkeypatch):
    """Has TensorFlow tell that it sees a GPU."""
    seen = [tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")]
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: seen)


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_on_a_cpu_nothing_is_compiled_unless_xla_is_on():
    assert choose_xla("auto", 10**13) == "off"
    assert choose_xla("on", 1) == "on"


@pytest.mark.parametrize(
    ("num_images", "image_size", "choice"),
    [(245 * 5, 224, "off"), (190_000, 224, "off"), (210_000, 224, "on"), (2_000_000, 32, "off")],
)
def test_on_a_gpu_a_phase_is_compiled_that_wins_back_the_minute(
    gpu, num_images, image_size, choice
):
    assert choose_xla("auto", num_images * image_size**2) == choice


@pytest.mark.parametrize("xla", ["on", "off"])
def test_an_explicit_setting_is_followed_on_a_gpu_too(gpu, xla):
    assert choose_xla(xla, 10**13) == xla


def test_jax_always_compiles_and_says_so(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert choose_xla("auto", 1) == "on"
    with pytest.raises(UsageError, match="'xla' is 'off'.*JAX.*KERAS_BACKEND=tensorflow"):
        choose_xla("off", 1)


def test_a_model_predicts_without_xla_what_it_predicts_with_it():
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(3, "softmax")(inputs)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    compiled = keras.Model(inputs, outputs)
    compiled.jit_compile = True
    plain = keras.Model(inputs, outputs)
    assert without_xla(plain) is plain
    assert not plain.jit_compile
    np.testing.assert_allclose(
        plain.predict(x, verbose=0), compiled.predict(x, verbose=0), rtol=1e-5
    )
