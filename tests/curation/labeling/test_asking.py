"""What is asked for is checked before any work."""

import pytest
from messages import parts

from tfxfer.curation.labeling.asking import Choice, check_files, is_no_run
from tfxfer.errors import UsageError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cuont": 3}, "Unknown setting 'cuont'. Did you mean 'count'?"),
        ({"count": 0}, "'count' is 0; it must be a whole number, at least 1"),
        ({"count": 2.5}, "'count' is 2.5"),
        ({"seed": -1}, "'seed' is -1 ... at least 0"),
        ({"strategy": "random"}, "'strategy' is 'random' ... typical, uncertain"),
    ],
)
def test_choices_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(UsageError, match=parts(message)):
        Choice.of(**settings)
    assert Choice.of(count=3, strategy="typical") == Choice(3, "typical")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"paths": []}, "no images to choose from"),
        ({"manifest": None}, "--with-labeled needs --manifest"),
        ({"manifest": "next.txt"}, "'next.txt': its name must end in .csv"),
        ({"manifest": "/gone/next.csv"}, "Cannot write '/gone/next.csv' ... --manifest"),
        ({"output": "/gone/next.html"}, "Cannot write '/gone/next.html' ... --output"),
    ],
)
def test_files_that_cannot_be_are_refused(files, message, tmp_path):
    asked = {"paths": ["inbox"], "manifest": str(tmp_path / "a.csv"), "output": None, **files}
    with pytest.raises(UsageError, match=parts(message)):
        check_files("runs/a", **asked, with_labeled=True)


def test_a_file_of_a_model_is_no_run(tmp_path):
    model = tmp_path / "model.keras"
    model.touch()
    with pytest.raises(UsageError, match=parts("model.keras' is a model without its run")):
        check_files(model, ["inbox"], None, None, with_labeled=False)
    assert "runs/NAME" in str(is_no_run(model))


def test_images_at_urls_are_an_error():
    with pytest.raises(UsageError, match="'s3://bucket/inbox' is a URL"):
        check_files("runs/a", ["s3://bucket/inbox"], None, None, with_labeled=False)
