import numpy as np
import pytest

from tfxfer.errors import UsageError
from tfxfer.images import decode_and_resize
from tfxfer.prediction import predict
from tfxfer.trained import load


def test_predictions_are_the_models_for_each_file_in_the_order_given(finished, pictures):
    result, _ = finished
    files = sorted((pictures / "test").rglob("*.jpg"), reverse=True)[:7]
    predictions = list(predict(result.run, files, top=2, batch_size=3))
    assert [prediction.path for prediction in predictions] == files
    trained = load(result.run)
    images = np.stack([decode_and_resize(file.read_bytes(), 32) for file in files])
    expected = trained.model.predict(images.astype("float32"), verbose=0)
    for prediction, row in zip(predictions, expected, strict=True):
        order = np.argsort(-row)[:2]
        assert [name for name, _ in prediction.ranked] == [trained.class_names[i] for i in order]
        assert [share for _, share in prediction.ranked] == pytest.approx(row[order], abs=1e-6)


def test_a_folder_stands_for_its_images_and_top_for_at_most_all_classes(finished, pictures):
    result, _ = finished
    predictions = list(predict(result.run, [pictures / "test"], top=9))
    assert [prediction.path for prediction in predictions] == sorted(
        (pictures / "test").rglob("*.jpg")
    )
    assert all(len(prediction.ranked) == 3 for prediction in predictions)
    assert sum(share for _, share in predictions[0].ranked) == pytest.approx(1)


def test_a_file_that_cannot_be_read_does_not_keep_the_others_back(finished, pictures, tmp_path):
    result, _ = finished
    good = pictures / "test" / "red" / "0.jpg"
    broken, text = tmp_path / "broken.jpg", tmp_path / "text.png"
    broken.write_bytes(good.read_bytes()[:200])
    text.write_text("no image")
    first, second, third = predict(result.run, [broken, good, text])
    assert (first.ranked, third.ranked) == ((), ())
    assert first.error
    assert third.error
    assert second.ranked
    assert not second.error


def test_only_unreadable_files_are_all_reported(finished, tmp_path):
    result, _ = finished
    (tmp_path / "a.jpg").touch()
    (prediction,) = predict(result.run, [tmp_path / "a.jpg"])
    assert prediction.error


def test_missing_files_and_empty_folders_are_named_before_the_model_is_loaded(tmp_path):
    with pytest.raises(UsageError, match=r"There is no file '.*none.jpg'"):
        list(predict("no-model", [tmp_path / "none.jpg"]))
    with pytest.raises(UsageError, match=r"The folder '.*' has no .jpg"):
        list(predict("no-model", [tmp_path]))
