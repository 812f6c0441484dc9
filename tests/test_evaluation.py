import shutil

import numpy as np
import pytest

from tfxfer.errors import DataError, UsageError
from tfxfer.evaluation import evaluate
from tfxfer.images import decode_and_resize
from tfxfer.trained import load


def test_a_run_is_evaluated_on_its_own_test_split_as_fit_did(finished):
    result, _ = finished
    evaluation = evaluate(result.run, batch_size=5)
    assert evaluation.split == "test"
    assert evaluation.num_examples == 12
    assert evaluation.accuracy == result.metrics["test"]["accuracy"]
    # The fit multiplied in another order: see `folding`.
    assert evaluation.loss == pytest.approx(result.metrics["test"]["loss"], abs=1e-5)


def test_all_splits_together_hold_every_image_once(finished):
    result, _ = finished
    assert evaluate(result.run, split="all").num_examples == 21 + 9 + 12


def test_a_file_is_evaluated_on_data_that_are_named(finished, pictures):
    result, _ = finished
    evaluation = evaluate(result.model, data=str(pictures), split="validation")
    assert evaluation.accuracy == result.metrics["validation"]["accuracy"]
    with pytest.raises(UsageError, match="does not say what data it was trained on"):
        evaluate(result.model)


def test_classes_are_matched_by_name_whatever_their_order(finished, pictures, tmp_path):
    result, _ = finished
    # Without "blue", "green" and "red" are the classes 0 and 1 of the data, 1 and 2 of the model.
    folder = shutil.copytree(pictures, tmp_path / "data")
    for split in ("train", "validation", "test"):
        shutil.rmtree(folder / split / "blue")
    evaluation = evaluate(result.run, data=str(folder), split="test")
    files = [(path, path.parent.name) for path in (folder / "test").rglob("*.jpg")]
    trained = load(result.run)
    images = np.stack([decode_and_resize(path.read_bytes(), 32) for path, _ in files])
    found = trained.model.predict(images.astype("float32"), verbose=0).argmax(axis=1)
    right = [trained.class_names[i] == name for i, (_, name) in zip(found, files, strict=True)]
    assert evaluation.accuracy == np.mean(right)
    assert not evaluation.uneven_classes


def test_uneven_classes_are_told_with_the_mean_of_their_recalls(finished, pictures, tmp_path):
    result, _ = finished
    folder = shutil.copytree(pictures, tmp_path / "data")
    # A picture of another colour, so that one of the two is wrong whatever the model says.
    for name in ("0", "1", "2"):
        (folder / "test" / "blue" / f"{name}.jpg").unlink()
    shutil.copy(folder / "test" / "red" / "0.jpg", folder / "test" / "blue" / "0.jpg")
    evaluation = evaluate(result.run, data=str(folder), split="test")
    trained, shares = load(result.run), []
    for label, name in enumerate(trained.class_names):
        files = sorted((folder / "test" / name).glob("*.jpg"))
        shares.append(np.mean(trained.predict(files).argmax(axis=1) == label))
    assert evaluation.uneven_classes
    assert evaluation.num_examples == 2 + 4 + 4
    assert evaluation.balanced_accuracy == pytest.approx(np.mean(shares))
    assert evaluation.balanced_accuracy != evaluation.accuracy


def test_a_class_that_the_model_does_not_know_is_named(finished, pictures, tmp_path):
    result, _ = finished
    folder = shutil.copytree(pictures / "train", tmp_path / "data")
    (folder / "red").rename(folder / "scarlet")
    with pytest.raises(DataError, match="does not know: scarlet. The model knows blue, green, red"):
        evaluate(result.run, data=str(folder))


def test_a_split_that_is_not_there_is_named(finished, pictures, tmp_path):
    result, _ = finished
    folder = shutil.copytree(pictures, tmp_path / "data")
    shutil.rmtree(folder / "test")
    with pytest.raises(UsageError, match="has no split 'test'; it has train, validation"):
        evaluate(result.run, data=str(folder), split="test")
    assert evaluate(result.run, data=str(folder)).split == "validation"
