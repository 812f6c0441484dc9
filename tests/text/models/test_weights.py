import keras
import pytest

from tfxfer.errors import UsageError, WeightsError
from tfxfer.text.models.weights import find_weights, read_pretrained


def test_a_folder_that_is_no_run_and_other_files_are_refused(tmp_path):
    with pytest.raises(UsageError, match="is not a finished run"):
        find_weights(str(tmp_path))
    (tmp_path / "a.h5").write_bytes(b"")
    for weights in (tmp_path / "a.h5", tmp_path / "none.keras", "imagenet"):
        with pytest.raises(UsageError, match="There are no weights"):
            find_weights(str(weights))


def test_a_model_of_something_else_is_refused(tmp_path):
    inputs = keras.Input((3,))
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).save(tmp_path / "model.keras")
    with pytest.raises(WeightsError, match="has no text backbone"):
        read_pretrained(tmp_path / "model.keras")
    (tmp_path / "model.keras").write_bytes(b"corrupt")
    with pytest.raises(WeightsError, match="has no text backbone"):
        read_pretrained(tmp_path / "model.keras")
