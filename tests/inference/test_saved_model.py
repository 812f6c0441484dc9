"""A SavedModel that was published is a classifier, asked by its own signatures."""

import shutil

import pytest
import tensorflow as tf

from tfxfer.errors import RunError, UsageError
from tfxfer.inference.loading import load
from tfxfer.inference.saved_model import ServedClassifier, load_saved_model


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
    with pytest.raises(UsageError, match="asked for by its signature 'features'"):
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
