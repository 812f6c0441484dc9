"""What is said of what features tell."""

from tfxfer.data.checks.by_features import FeatureFindings, SuspectLabel


def findings(count, **more):
    suspects = [SuspectLabel(f"photos/{n}.jpg", "cat", "dog", n / 100) for n in range(count)]
    return FeatureFindings("small", 100, tuple(suspects), **more)


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
    assert "30 labels look wrong (30.0%), the most suspicious first:" in lines
    assert "  given  suggested  score   image" in lines
    assert "  cat    dog        0.0700  photos/7.jpg" in lines
    assert sum("photos/" in line for line in lines) == 20
    assert "  and 10 more; --json lists all" in lines
    assert "about half was truly wrong" in lines[-1]
    assert "1 label looks wrong (1.0%), the most suspicious first:" in findings(1).describe()


def test_without_suspects_the_text_says_so():
    assert findings(0).describe()[-1] == "No labels look wrong."


def test_the_text_names_classes_that_were_not_judged():
    assert findings(0, unjudged=("fox",)).describe()[-1].endswith(": fox.")
