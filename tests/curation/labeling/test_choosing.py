"""From files to the images to label next, by the model of a run."""

import shutil

import numpy as np
import pytest
from conftest import write_pictures

from tfxfer.curation.labeling import choosing
from tfxfer.curation.labeling.asking import Choice
from tfxfer.curation.labeling.choosing import choose_next, places_of_next
from tfxfer.curation.labeling.page import render
from tfxfer.curation.labeling.reading import (
    features_of_labeled,
    read_unlabeled,
    unlabeled_split,
)
from tfxfer.curation.labeling.result import NextImage, NextImages
from tfxfer.errors import UsageError
from tfxfer.inference.loading import load


@pytest.fixture(scope="module")
def inbox(tmp_path_factory, pictures):
    """New images of each color, one twice, one of the run, and one that cannot be read."""
    folder = write_pictures(tmp_path_factory.mktemp("inbox") / "new", 4, seed=9)
    shutil.copy(folder / "red" / "0.jpg", folder / "again.jpg")
    shutil.copy(pictures / "train" / "red" / "0.jpg", folder / "known.jpg")
    (folder / "broken.jpg").write_bytes((folder / "red" / "0.jpg").read_bytes()[:200])
    return sorted(folder.rglob("*.jpg"))


@pytest.fixture(scope="module")
def trained(finished):
    return load(finished[0].run)


def test_features_and_probabilities_are_the_models(trained, inbox):
    readable = [file for file in inbox if file.name != "broken.jpg"]
    found = read_unlabeled(trained, unlabeled_split(inbox), batch_size=4)
    assert [found.split.describe(place) for place in found.places] == list(map(str, readable))
    np.testing.assert_allclose(found.features, trained.features(readable), atol=1e-4)
    np.testing.assert_allclose(found.probabilities, trained.predict(readable), atol=1e-5)
    ((path, reason),) = found.unreadable
    assert path.endswith("broken.jpg")
    assert reason


def test_labeled_images_have_their_features(trained, pictures):
    splits = list(trained.open_source().everything.values())
    rows = features_of_labeled(trained, splits, batch_size=5)
    paths = [split.describe(place) for split in splits for place in range(len(split))]
    np.testing.assert_allclose(rows, trained.features(paths), atol=1e-4)


@pytest.mark.parametrize("strategy", ["typical", "uncertain"])
def test_only_images_without_a_label_are_chosen_each_once(trained, inbox, strategy):
    source = trained.open_source()
    result, found = choose_next(trained, source, inbox, Choice(50, strategy))
    assert (result.num_files, result.num_known, result.num_duplicates) == (15, 1, 1)
    assert len(result.images) == 12
    assert len(result.unreadable) == 1
    names = {one.path for one in result.images}
    assert not any("known" in name or "broken" in name for name in names)
    one = result.images[0]
    shares = np.sort(trained.predict(one.path)[0])
    assert one.probability == pytest.approx(shares[-1], abs=1e-5)
    assert one.margin == pytest.approx(shares[-1] - shares[-2], abs=1e-5)
    places = places_of_next(found, result)
    assert [found.split.describe(place) for place in places] == [one.path for one in result.images]


@pytest.mark.slow
def test_typical_ones_are_chosen_while_labels_are_few(trained, inbox, monkeypatch):
    source = trained.open_source()
    assert choose_next(trained, source, inbox, Choice(3))[0].strategy == "uncertain"
    monkeypatch.setattr(choosing, "FEW_PER_CLASS", 15)  # of 14 that there are
    few = choose_next(trained, source, inbox, Choice(3))[0]
    assert few.strategy == "typical"
    assert few == choose_next(trained, source, inbox, Choice(3))[0]
    # Three clusters without a label would be the colors, but each has labels: any may come.
    assert len(few.images) == 3


def test_nothing_left_is_an_error(trained, inbox, pictures):
    source = trained.open_source()
    known = sorted((pictures / "train").rglob("*.jpg"))
    with pytest.raises(UsageError, match="21 images"):
        choose_next(trained, source, known, Choice())
    broken = [file for file in inbox if file.name == "broken.jpg"]
    with pytest.raises(UsageError, match=r"'.*broken.jpg'"):
        choose_next(trained, source, broken, Choice())


def result_of(number):
    images = tuple(NextImage(f"/in/{n}.jpg", "a", 0.5, 0.1) for n in range(number))
    return NextImages(images, "uncertain", 40, 30, 2, 1, (("/in/x.jpg", "truncated"),))


def test_the_text_has_the_first_and_says_what_was_left_out():
    text = result_of(12).describe()
    assert text.startswith("12 of 30 images to label next: uncertain")
    assert "left out: 2 in the data of the run, 1 exact duplicates, 1 unreadable" in text
    assert "/in/x.jpg: truncated" in text
    assert "/in/9.jpg" in text
    assert text.endswith("and 2 more")
    assert result_of(12).as_json()["next"][0] == {
        "path": "/in/0.jpg",
        "predicted": "a",
        "probability": 0.5,
        "margin": 0.1,
    }


def test_the_page_has_a_thumbnail_of_each(trained, inbox):
    result, found = choose_next(trained, trained.open_source(), inbox, Choice(5))
    text = render(result, found, trained.frame)
    assert text.count('<img src="data:image/jpeg') == 5
    assert f"1. <b>{result.images[0].predicted}</b>" in text
