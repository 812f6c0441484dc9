import pytest

from tfxfer.errors import DataError, ExportError, RunError, UsageError, WeightsError, did_you_mean


def test_usage_errors_exit_with_2_and_failures_with_1():
    assert UsageError("").exit_code == 2
    assert {kind("").exit_code for kind in (RunError, DataError, WeightsError, ExportError)} == {1}


@pytest.mark.parametrize(
    ("word", "hint"),
    [("resnet5", " Did you mean 'resnet50'?"), ("vgg61", " Did you mean 'vgg16'?"), ("zzz", "")],
)
def test_the_nearest_known_word_is_suggested(word, hint):
    assert did_you_mean(word, ["resnet50", "vgg16"]) == hint
