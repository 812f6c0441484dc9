import shutil

import numpy as np
import pytest

from tfxfer.api.predict import predict
from tfxfer.data.image.channels import decode_and_resize
from tfxfer.errors import UsageError
from tfxfer.inference.loading import load


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


def test_an_unreadable_file_does_not_stop_the_others(finished, pictures, tmp_path):
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
    with pytest.raises(UsageError, match=r"no file '.*none\.jpg'"):
        list(predict("no-model", [tmp_path / "none.jpg"]))
    with pytest.raises(UsageError, match=r"The folder '.*' has no .jpg"):
        list(predict("no-model", [tmp_path]))


def test_a_file_its_run_and_its_export_say_the_same(finished, paths):
    result, _ = finished
    run = list(predict(result.run, paths, top=3, batch_size=5))
    for model in (result.model, result.export):
        for ours, theirs in zip(run, predict(model, paths, top=3, batch_size=7), strict=True):
            assert ours.path == theirs.path
            assert dict(ours.ranked) == pytest.approx(dict(theirs.ranked), abs=1e-6)


def test_a_pattern_stands_for_the_images_that_match(finished, pictures):
    result, _ = finished
    found = [one.path for one in predict(result.run, [pictures / "test" / "*" / "[01].jpg"])]
    assert found == sorted((pictures / "test").glob("*/[01].jpg"))
    found = [one.path for one in predict(result.run, [pictures / "**" / "3.jpg"])]
    assert found == sorted(pictures.rglob("3.jpg"))
    with pytest.raises(UsageError, match=r"No .jpg, .* file matches '.*x.jpg'"):
        predict(result.run, [pictures / "*" / "x.jpg"])


def test_a_missing_file_of_a_list_is_unreadable(finished, paths):
    result, _ = finished
    listed = [paths[0], "none.jpg", paths[1]]
    first, missing, second = predict(result.run, [], listed=listed)
    assert (first.path, second.path) == (paths[0], paths[1])
    assert str(missing.path) == "none.jpg"
    assert "no such file" in missing.error
    assert not missing.ranked


def test_unreadable_files_keep_their_places_across_batches(finished, paths, tmp_path):
    result, _ = finished
    bad = tmp_path / "bad.jpg"
    bad.write_text("no image")
    files = [bad, bad, paths[0], bad, *paths[1:6], bad, bad]
    found = list(predict(result.run, files, batch_size=2))
    assert [one.path for one in found] == files
    assert [bool(one.error) for one in found] == [file == bad for file in files]
    alone = {one.path: one.ranked for one in predict(result.run, paths[:6])}
    for one in found:
        if not one.error:
            assert one.ranked[0][1] == pytest.approx(alone[one.path][0][1], abs=1e-6)


@pytest.fixture
def album(pictures, tmp_path):
    """A folder with pictures of all kinds of places, and with what is none."""
    source, folder = pictures / "test" / "red", tmp_path / "data"
    for number, name in enumerate(
        [
            *("a/1.jpg", "a/@eaDir/1.jpg", "a/.ipynb_checkpoints/1-checkpoint.jpg", "a/._1.jpg"),
            *("album.jpg/2.jpg", "bare", "__MACOSX/a/1.jpg", "runs/r/picture.jpg"),
        ]
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / f"{number % 4}.jpg", folder / name)
    for name in ("config.toml", "classes.txt"):
        (folder / "runs" / "r" / name).touch()
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(source / "3.jpg", tmp_path / "elsewhere" / "3.jpg")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "a" / "up").symlink_to(folder)
    return folder


@pytest.mark.parametrize("pattern", ["", "**"])
def test_folders_and_patterns_take_what_a_fit_takes_and_say_what_they_leave_out(
    finished, album, pattern
):
    result, _ = finished
    said = []
    found = list(predict(result.run, [album / pattern], say=said.append))
    assert [str(one.path.relative_to(album)) for one in found] == [
        *("a/1.jpg", "album.jpg/2.jpg", "bare", "linked/3.jpg")
    ]
    assert not any(one.error for one in found)
    for name in ("a/@eaDir", "__MACOSX", "runs", "a/up"):
        assert any(name in line for line in said)


def test_a_file_that_is_named_is_taken_wherever_it_lies(finished, album):
    result, _ = finished
    files = [album / "a" / "@eaDir" / "1.jpg", album / "a" / "._1.jpg"]
    assert [one.path for one in predict(result.run, files)] == files
