import shutil

import pytest

from tfxfer.errors import DataError, RunError, UsageError
from tfxfer.text.serving import signatures
from tfxfer.text.serving.loading import load_texts

pytestmark = pytest.mark.slow


def test_the_contract_names_the_input():
    for given in signatures.CONTRACT.values():
        assert signatures.INPUT in given


def test_corrupt_models_and_missing_names_are_told(finished_texts, tmp_path):
    result, _ = finished_texts
    model = tmp_path / "model.keras"
    shutil.copy(result.model, model)
    with pytest.raises(UsageError, match="no '.*classes.txt'"):
        load_texts(model)
    (tmp_path / "classes.txt").write_text("one\n")
    with pytest.raises(RunError, match="has 2 classes, but .* names 1"):
        load_texts(model)
    model.write_bytes(model.read_bytes()[:1000])
    (tmp_path / "classes.txt").write_text("neg\npos\n")
    with pytest.raises(RunError, match="Cannot load the model of texts"):
        load_texts(model)


def test_a_corrupt_export_is_told(finished_texts, tmp_path):
    result, _ = finished_texts
    shutil.copytree(result.export, tmp_path / "1")
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"corrupt")
    with pytest.raises(RunError, match="Cannot load the SavedModel"):
        load_texts(tmp_path / "1")


def test_data_of_other_classes_are_refused(finished_texts, tmp_path):
    result, _ = finished_texts
    loaded = load_texts(result.run)
    (tmp_path / "a.jsonl").write_text('{"text": "x", "label": "neg"}\n{"text": "y", "label": "z"}')
    with pytest.raises(DataError, match="does not know: z"):
        loaded.open_source(str(tmp_path / "a.jsonl"))
    exported = load_texts(result.export)
    with pytest.raises(UsageError, match="--data"):
        exported.open_source()
    assert exported.seen().shape == loaded.seen().shape
