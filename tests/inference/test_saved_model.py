"""A SavedModel that was published is a classifier, asked by its own signatures."""

import json
import shutil

import pytest
import tensorflow as tf

from tfxfer.config.frame import Frame
from tfxfer.errors import RunError, UsageError
from tfxfer.inference.loading import load
from tfxfer.inference.saved_model import ServedClassifier, load_saved_model

# Of before images could be fitted in several ways.
OLD = {"fit_images": None}


def test_what_is_published_is_loaded_with_its_names_and_what_it_has_seen(finished, trained):
    result, _ = finished
    served = load_saved_model(result.export)
    assert isinstance(served, ServedClassifier)
    assert (served.class_names, served.input_size) == (("blue", "green", "red"), 32)
    assert served.seen.fingerprint == trained.seen.fingerprint


def test_a_saved_model_is_a_classifier_too_but_gives_no_features(finished, paths):
    result, _ = finished
    served, run = load(result.export), load(result.run)
    assert (served.class_names, served.input_size) == (run.class_names, run.input_size)
    assert served.predict(paths, batch_size=5) == pytest.approx(run.predict(paths), abs=1e-6)
    assert load(result.export.parent).path == result.export
    with pytest.raises(UsageError, match="signature 'features'"):
        served.features(paths)


def test_a_saved_model_of_others_and_a_corrupt_one_are_named(finished, tmp_path):
    result, _ = finished
    tf.saved_model.save(tf.Module(), str(tmp_path / "other"))
    with pytest.raises(UsageError, match="`tfxfer export`.* 'assets/.*model.h5"):
        load(tmp_path / "other")
    corrupt = shutil.copytree(result.export, tmp_path / "corrupt")
    (corrupt / "saved_model.pb").write_bytes(b"corrupt")
    with pytest.raises(RunError, match=r"Cannot load the SavedModel '.*corrupt': "):
        load(corrupt)


def facts_of(folder, **changes):
    """Writes the facts of an export, some changed, and returns its directory."""
    (folder / "assets").mkdir()
    facts = {"input_size": 32, "fit_images": "pad"} | changes
    told = {name: value for name, value in facts.items() if value is not None}
    (folder / "assets" / "tfxfer.json").write_text(json.dumps(told))
    return folder


@pytest.mark.parametrize(
    ("changes", "fit"), [({}, "pad"), ({"fit_images": "stretch"}, "stretch"), (OLD, "crop")]
)
def test_an_export_says_how_images_are_fitted_and_an_older_one_crops(
    changes, fit, finished, tmp_path
):
    result, _ = finished
    copy = shutil.copytree(result.export, tmp_path / "1")
    shutil.rmtree(copy / "assets")
    facts_of(copy, **changes)
    shutil.copy(result.export / "assets" / "labels.txt", copy / "assets")
    assert load(copy).frame == Frame.of(32, fit)


@pytest.mark.parametrize("bad", ["fill", "", 1, ["pad"], {"pad": 1}])
def test_an_export_that_fits_images_in_an_unknown_way_is_refused(bad, tmp_path):
    with pytest.raises(UsageError, match=r"tfxfer.json'.* 'fit_images' .*'crop', 'stretch', 'pad'"):
        load_saved_model(facts_of(tmp_path, fit_images=bad))
