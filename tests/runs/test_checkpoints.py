import keras
import numpy as np
import pytest

from tfxfer.config.schema import FitConfig, HeadConfig
from tfxfer.errors import RunError
from tfxfer.runs.checkpoints import Checkpoint, Checkpoints
from tfxfer.training.epochs.loop import compiled_view
from tfxfer.training.epochs.state import restore_metrics, restore_training_state, training_state

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(24, 4)).astype("float32")
Y = GENERATOR.integers(0, 3, 24)


def checkpoint(number):
    return Checkpoint({"number": number}, {"a": [np.full(3, number, "float32"), np.arange(2)]})


def number_of(found):
    np.testing.assert_array_equal(found.arrays["a"][0], np.full(3, found.state["number"]))
    np.testing.assert_array_equal(found.arrays["a"][1], np.arange(2))
    return found.state["number"]


def test_the_last_checkpoint_is_found_and_one_before_it_is_kept(tmp_path):
    files = Checkpoints(tmp_path / "c")
    assert files.read() == (None, [])
    for number in range(12):  # 10 comes after 9
        files.write(checkpoint(number))
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["11.npz", "12.npz"]
    found, corrupt = Checkpoints(tmp_path / "c").read()
    assert (number_of(found), corrupt) == (11, [])
    files.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["truncated", "emptied", "flipped"])
def test_a_corrupt_checkpoint_gives_way_to_the_one_before(tmp_path, damage):
    files = Checkpoints(tmp_path)
    for number in (1, 2):
        files.write(checkpoint(number))
    path = tmp_path / "2.npz"
    content = bytearray(path.read_bytes())
    place = content.index(np.full(3, 2, "float32").tobytes())
    content[place] ^= 1
    path.write_bytes({"truncated": content[:200], "emptied": b"", "flipped": content}[damage])
    found, corrupt = files.read()
    assert number_of(found) == 1
    assert corrupt == [path]
    assert not path.exists()
    files.write(checkpoint(3))
    assert number_of(files.read()[0]) == 3


def test_what_was_being_written_when_the_process_was_killed_is_removed(tmp_path):
    files = Checkpoints(tmp_path)
    files.write(checkpoint(1))
    (tmp_path / ".4711.2.npz").write_bytes(b"half")
    assert number_of(files.read()[0]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["1.npz"]


def test_a_checkpoint_that_cannot_be_written_leaves_those_before(tmp_path, monkeypatch):
    files = Checkpoints(tmp_path)
    files.write(checkpoint(1))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        with pytest.raises(RunError, match=r"Cannot write '.*2.npz': No space left on device"):
            files.write(checkpoint(2))
    assert number_of(files.read()[0]) == 1


def build(seed=0, precision="float32"):
    """Returns a compiled model with BatchNorm and dropout whose generator nobody seeded."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4,))
    x = keras.layers.Dense(5)(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.5)(x)
    model = keras.Model(inputs, keras.layers.Dense(3)(x))
    phase = HeadConfig(4, "sgd", 0.1, 1.0, weight_decay=1e-3, clip_norm=1.0)
    return compiled_view(model, phase, FitConfig(label_smoothing=0.1, precision=precision), 3)


def train(view, first, end):
    """Trains on the batches of some steps, counted over epochs of three; returns the last logs."""
    logs = {}
    for step in range(first, end):
        if step % 3 == 0:
            view.reset_metrics()
        rows = slice(8 * (step % 3), 8 * (step % 3 + 1))
        logs = view.train_on_batch(X[rows], Y[rows], return_dict=True)
    return logs


TAKEN = (3, 4, 8)  # steps after which a checkpoint is written; an epoch has three


@pytest.fixture(scope="module", params=["float32", "mixed_float16"])
def trained(request, tmp_path_factory):
    """A precision, a model of nine steps, its last logs, and the folders of checkpoints of it."""
    whole = build(precision=request.param)
    logs = train(whole, 0, 9)
    stopped, folders, done = build(precision=request.param), {}, 0
    for taken in TAKEN:
        train(stopped, done, taken)
        folders[taken], done = tmp_path_factory.mktemp("checkpoints"), taken
        Checkpoints(folders[taken]).write(Checkpoint({}, training_state(stopped)))
    return request.param, whole, logs, folders


@pytest.mark.parametrize("taken", TAKEN)
def test_training_resumes_as_if_it_had_never_stopped(trained, taken):
    precision, whole, expected, folders = trained
    arrays = Checkpoints(folders[taken]).read()[0].arrays
    second = build(seed=1, precision=precision)
    restore_training_state(second, arrays)
    second.reset_metrics()  # as Keras does where an epoch begins
    restore_metrics(second, arrays)
    logs = train(second, taken, 9)
    for ours, theirs in zip(second.variables, whole.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert logs == expected  # the means over the epoch
