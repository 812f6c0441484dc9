"""A classifier becomes cautious: from a run to an export that says what is unknown."""

import json

import numpy as np
import pytest
import tensorflow as tf
from command_line import run
from conftest import scene_file

from tfxfer.api.export import export
from tfxfer.api.predict import predict
from tfxfer.errors import UsageError
from tfxfer.evaluation import cautious
from tfxfer.evaluation.cautioning import Rates
from tfxfer.evaluation.cautious import with_caution
from tfxfer.inference.loading import load
from tfxfer.models.heads import with_features

RATES = {"unknown_rate": 0.2, "coverage": 0.8}


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    """A cautious export, and what was said."""
    said = []
    folder = tmp_path_factory.mktemp("exports")
    path = export(finished[0].run, export_dir=str(folder), unknown=True, say=said.append, **RATES)
    return path, said


@pytest.fixture(scope="module")
def judged(finished):
    trained = load(finished[0].run)
    return with_caution(trained, trained.open_source(), Rates(**RATES))


def test_the_limits_are_from_test_and_the_features_from_train(judged, monkeypatch, finished):
    record = judged.caution.record
    assert (record.num_kept, record.neighbor, record.num_calibration) == (21, 10, 12)
    assert (record.calibrated_on, record.is_independent) == ("test", True)
    split = judged.open_source().splits["test"]
    files = [split.describe(place) for place in range(len(split))]
    found = judged.caution.judge(judged.features(files), judged.predict(files))
    # 12 images, of which the 11th is the limit: ceil(13 * 0.8).
    assert found.unknown.sum() == 1
    assert found.in_set[np.arange(12), split.labels].sum() >= 11
    monkeypatch.setattr(cautious, "_CANDIDATES", 15)
    fewer = with_caution(judged, judged.open_source(), Rates(**RATES))
    assert fewer.caution.record.num_kept == 15


@pytest.mark.slow
def test_the_export_says_what_the_model_says(exported, judged, paths):
    path, said = exported
    assert any("at most 20% false alarms" in line for line in said)
    files = [one.read_bytes() for one in paths]
    answer = tf.saved_model.load(str(path)).signatures["serving_default"](
        image_bytes=tf.constant(files)
    )
    found = with_features(judged.model).predict(squares_of(judged, paths), verbose=0)
    expected = judged.caution.judge(found["features"], found["probabilities"])
    np.testing.assert_allclose(answer["unknown_score"], expected.score, atol=1e-3)
    np.testing.assert_array_equal(answer["unknown"], expected.unknown)
    np.testing.assert_array_equal(answer["in_set"], expected.in_set)
    facts = json.loads((path / "assets" / "tfxfer.json").read_text())
    assert facts["caution"]["threshold"] == pytest.approx(judged.caution.record.threshold, abs=1e-3)
    assert "unknown_score" in facts["signatures"]["serving_default"]["gives"]


def squares_of(trained, paths):
    from tfxfer.data.image.channels import decode_and_resize

    return np.stack([decode_and_resize(one.read_bytes(), trained.frame) for one in paths]).astype(
        np.float32
    )


@pytest.mark.slow
def test_predictions_of_the_export_say_it_too(exported, finished, paths, tmp_path):
    path, _ = exported
    stranger = tmp_path / "stranger.jpg"
    stranger.write_bytes(scene_file(3))
    *known, last = predict(path, [*paths, stranger])
    assert last.doubt.unknown
    assert sum(one.doubt.unknown for one in known) <= 3
    assert known[0].ranked[0][0] in known[0].doubt.in_set
    assert load(path).is_cautious
    assert not load(finished[0].export).is_cautious
    (plain,) = predict(finished[0].export, [stranger])
    assert plain.doubt is None
    result = run("predict", path, stranger, "--format", "csv")
    assert result.stdout.startswith("path,label,probability,unknown,unknown_score,set,error\n")


def test_what_cannot_be_cautious_is_refused(finished, finished_tags, tmp_path, pictures):
    with pytest.raises(UsageError, match="multi-label"):
        export(finished_tags[0].run, export_dir=str(tmp_path), unknown=True, **RATES)
    with pytest.raises(UsageError, match=r"at least 19 images .* only 12"):
        export(finished[0].run, export_dir=str(tmp_path), unknown=True)
    with pytest.raises(UsageError, match="'coverage' .* is 1; it must be"):
        export(finished[0].run, export_dir=str(tmp_path), unknown=True, coverage=1.0)
    result = run("export", finished[0].run, "--coverage", 0.8)
    assert result.exit_code == 2
    assert "--coverage needs --unknown" in result.output
    result = run("export", finished[0].run, "--format", "litert", "--unknown")
    assert result.exit_code == 2
    assert "--unknown is only for --format saved_model" in result.output
