import keras
import pytest
import tensorflow as tf

from tfxfer.system import devices, notices
from tfxfer.system.devices import choose_precision, dtype_policy, tell_of_missing_gpus


def never_asked() -> bool:
    raise AssertionError("The network was asked for nothing.")


on_a_cpu = pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
with_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="another backend"
)


@on_a_cpu
def test_auto_is_float32_on_a_cpu_without_amx(monkeypatch):
    monkeypatch.setattr(devices, "_processor_flags", lambda: ["avx512_bf16"])
    assert choose_precision("auto", never_asked) == "float32"


@on_a_cpu
@with_tensorflow
@pytest.mark.parametrize(
    ("gains", "rounded", "chosen"),
    [
        (True, 1.0, "mixed_bfloat16"),
        (True, 3.0, "float32"),  # AMX is not to be used
        (False, None, "float32"),  # nothing is timed
    ],
)
def test_auto_is_what_gains_on_a_cpu_with_amx(monkeypatch, gains, rounded, chosen):
    seconds = {"float32": 4.0, "bfloat16": rounded}
    monkeypatch.setattr(devices, "_processor_flags", lambda: ["fpu", "amx_bf16"])
    monkeypatch.setattr(devices, "_seconds_of_product", lambda dtype: seconds[dtype])
    devices._multiplies_bfloat16_faster.cache_clear()
    assert choose_precision("auto", lambda: gains) == chosen
    devices._multiplies_bfloat16_faster.cache_clear()


def test_a_product_takes_time():
    assert devices._seconds_of_product("float32") > 0


@pytest.mark.gpu
def test_auto_is_mixed_on_a_gpu():
    assert choose_precision("auto", never_asked) in ("mixed_bfloat16", "mixed_float16")


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_an_explicit_policy_is_kept(policy):
    assert choose_precision(policy, never_asked) == policy


def test_the_policy_holds_inside_and_the_old_one_comes_back():
    before = keras.config.dtype_policy().name
    with pytest.raises(ZeroDivisionError), dtype_policy("mixed_bfloat16"):
        assert keras.layers.Dense(1).compute_dtype == "bfloat16"
        raise ZeroDivisionError
    assert keras.config.dtype_policy().name == before


@pytest.mark.parametrize(("chosen", "told"), [("7", True), ("GPU-0", True), ("-1", False)])
def test_a_chosen_gpu_that_is_missing_gives_a_warning(monkeypatch, caplog, chosen, told):
    monkeypatch.setattr(notices, "_said", set())
    monkeypatch.setattr(devices, "_gpu_compute_capability", lambda: None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    tell_of_missing_gpus()
    assert (f"CUDA_VISIBLE_DEVICES is '{chosen}'" in caplog.text) == told


def test_an_available_gpu_gives_no_warning(monkeypatch, caplog):
    monkeypatch.setattr(notices, "_said", set())
    monkeypatch.setattr(devices, "_gpu_compute_capability", lambda: (9, 0))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    tell_of_missing_gpus()
    assert not caplog.messages
