"""The data of a finished run: what is in its files, and in its report."""

import json

import numpy as np
import pytest
from conftest import small_config, trained_alone

from tfxfer.curation.section.known import MOST_IMAGES, KnownImages
from tfxfer.curation.section.of_fit import DataOfFit
from tfxfer.training.classifier_pair import ClassifierPair


def test_a_fit_writes_what_its_features_say(finished, pictures):
    result, lines = finished
    found = json.loads((result.run / "data_findings.json").read_text())
    # The features of the test images are never computed, as this run is fine-tuned.
    assert (found["splits"], found["num_images"]) == (["train", "validation"], 30)
    assert found["command"].startswith(f"tfxfer check {pictures} --backbone small --weights")
    shown = {one["path"] for one in found["suspect_labels"] + found["outliers"]}
    shown |= {path for one in found["near_copies"] for path in one["paths"]}
    assert shown >= set(found["thumbnails"])
    assert 'id="review"' in (result.run / "report.html").read_text()
    assert not any("not examined" in line for line in lines)


@pytest.mark.slow
def test_several_labels_tasks_and_an_order_are_not_examined(
    finished_tags, finished_tasks, finished_order
):
    for result, _ in (finished_tags, finished_tasks, finished_order):
        assert not (result.run / "data_findings.json").exists()
        assert 'id="review"' not in (result.run / "report.html").read_text()


@pytest.mark.slow
def test_whatever_fails_is_told_and_the_fit_is_finished(
    pictures, weights_file, tmp_path, monkeypatch
):
    from tfxfer.api.fit import fit

    def fails(*_):
        raise MemoryError

    monkeypatch.setattr("tfxfer.curation.section.looking.nearest", fails)
    lines = []
    config = small_config(pictures, weights_file, tmp_path, finetune={"epochs": 0})
    result = fit(config, say=lines.append)
    assert "note: the data were not examined for the report: MemoryError" in lines
    assert 'id="review"' not in (result.run / "report.html").read_text()


@pytest.mark.slow
def test_features_that_are_not_cached_are_not_computed(pictures, weights_file, tmp_path):
    from tfxfer.api.fit import fit

    config = small_config(
        pictures, weights_file, tmp_path, cache_gigabytes=0, finetune={"epochs": 0}
    )
    assert not (fit(config, say=lambda _: None).run / "data_findings.json").exists()


@pytest.mark.slow
def test_of_many_images_a_sample_is_examined(tmp_path, weights_file, monkeypatch):
    monkeypatch.setattr("tfxfer.curation.section.known.MOST_IMAGES", 200)
    assert MOST_IMAGES == 5_000
    config = small_config("digits", weights_file, tmp_path, finetune={"epochs": 0})
    trained = trained_alone(config)
    plan = trained.plan
    pair = ClassifierPair.of(plan, plan.build_classifier(plan.config.weights))
    function = pair.first_features
    known = KnownImages.of(function, trained.images, trained.plan.config)
    assert known.num_known == 1797
    assert known.split_names == ("train", "validation", "test")
    assert np.bincount(known.gallery.splits).tolist() == [120, 39, 39]
    for split, images in known.gallery.images.items():
        own = known.gallery.splits == split
        numbers = known.gallery.numbers[own]
        np.testing.assert_array_equal(known.gallery.labels[own], images.labels[numbers])
        np.testing.assert_array_equal(known.gallery.digests[own], images.digests[numbers])
    told = []
    DataOfFit(function).write_findings(trained, told.append)
    assert not told
    found = json.loads(trained.plan.run.data_findings.read_text())
    assert (found["num_images"], found["num_known"]) == (198, 1797)
