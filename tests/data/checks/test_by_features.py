"""What is said of what features tell."""

import pytest

from tfxfer.data.checks.by_features import (
    FeatureFindings,
    NearCopies,
    Outlier,
    SplitShift,
    SuspectLabel,
)


def findings(count, num_images=100, **more):
    suspects = [SuspectLabel(f"photos/{n}.jpg", "cat", "dog", n / 100) for n in range(count)]
    return FeatureFindings("small", num_images, tuple(suspects), **more)


def test_the_json_has_every_suspect_with_exactly_these_keys():
    content = findings(30).as_json()
    assert content["backbone"] == "small"
    assert content["num_images"] == 100
    assert len(content["suspect_labels"]) == 30
    assert content["suspect_labels"][7] == {
        "path": "photos/7.jpg",
        "given": "cat",
        "suggested": "dog",
        "score": 0.07,
    }


def test_the_text_shows_the_first_and_says_what_such_a_list_is_worth():
    lines = findings(30).describe()
    assert any(line.startswith("30 labels look wrong (30.0%)") for line in lines)
    assert "  given  suggested  score   image" in lines
    assert "  cat    dog        0.0700  photos/7.jpg" in lines
    assert sum("photos/" in line for line in lines) == 20
    assert any("10 more" in line and "--json" in line for line in lines)
    assert any("arXiv:2103.14749" in line for line in lines)
    assert any("1 label looks wrong (1.0%)" in line for line in findings(1).describe())


def test_of_few_images_the_text_says_that_they_say_little():
    assert any("few images" in line for line in findings(3, num_images=99).describe())
    assert not any("few images" in line for line in findings(3).describe())


def test_without_suspects_the_text_says_so():
    assert findings(0).describe()[2:] == [
        "No labels look wrong.",
        "",
        "No near copies found.",
        "",
        "No outliers found.",
    ]


def test_the_text_names_classes_that_were_not_judged():
    assert findings(0, unjudged=("fox",)).describe()[3].endswith(": fox.")


def copies(count, splits, distance=0.2):
    return NearCopies(
        tuple(f"{number}.jpg" for number in range(count)), splits, ("cat",) * count, distance
    )


def test_near_copies_across_splits_come_before_those_within():
    across, within = copies(6, ("train",) * 5 + ("test",)), copies(2, ("train", "train"), None)
    found = findings(0, near_copies=(across, *(within,) * 7))
    text = found.describe()
    (place,) = [n for n, line in enumerate(text) if "across splits (6 images)" in line]
    assert text[place + 1] == "  0.jpg = 1.jpg = 2.jpg = 3.jpg and 2 more"
    assert text[place + 2].startswith("7 groups of near copies within a split (14 images)")
    assert text[place + 3] == "  0.jpg = 1.jpg"
    assert any("2 more" in line and "--json" in line for line in text)
    first, second = found.as_json()["near_copies"][:2]
    assert first == {
        "paths": [f"{number}.jpg" for number in range(6)],
        "splits": ["train"] * 5 + ["test"],
        "classes": ["cat"] * 6,
        "across_splits": True,
        "distance": 0.2,
    }
    assert second["distance"] is None
    assert not second["across_splits"]


def test_outliers_are_listed_with_class_and_score():
    found = findings(0, outliers=tuple(Outlier(f"{n}.jpg", "cat", 9.0 - n / 2) for n in range(12)))
    text = found.describe()
    assert any(line.startswith("12 outliers") for line in text)
    assert "  cat    8.5    1.jpg" in text
    assert any("2 more" in line and "--json" in line for line in text)
    assert found.as_json()["outliers"][1] == {"path": "1.jpg", "class": "cat", "score": 8.5}


@pytest.mark.parametrize(
    ("auroc", "verdict", "num_lines"),
    [(0.59, "no difference found", 1), (0.6, "differ a little", 2), (0.7, "differ", 2)],
)
def test_a_shift_is_told_with_what_it_means(auroc, verdict, num_lines):
    shift = SplitShift(("train", "test"), auroc, (auroc - 0.1, auroc + 0.1))
    lines = shift.describe()
    assert lines[0].startswith(
        f"train and test: {verdict}, AUROC {auroc:.2f} ({auroc - 0.1:.2f} to"
    )
    assert len(lines) == num_lines
    if num_lines == 2:
        assert "look different in 'test'" in lines[1]
    found = findings(0, shifts=(shift,))
    assert "Shift between splits:" in found.describe()
    assert found.as_json()["shift"] == [
        {
            "splits": ["train", "test"],
            "auroc": auroc,
            "interval": [round(auroc - 0.1, 6), round(auroc + 0.1, 6)],
            "only_in": {"train": [], "test": []},
        }
    ]


def test_classes_that_one_split_alone_covers_are_named():
    shift = SplitShift(("train", "test"), None, None, (("fox",), ()))
    assert shift.describe() == ["Only 'train', not 'test', has fox."]
    assert findings(0, shifts=(shift,)).as_json()["shift"][0]["only_in"] == {
        "train": ["fox"],
        "test": [],
    }
