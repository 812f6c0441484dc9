import pytest

from tfxfer.showing.corrections import remark


@pytest.mark.parametrize(
    ("splits", "named"),
    [
        ({"test"}, "in the test split"),
        ({"validation"}, "in the validation split"),
        ({"validation", "test"}, "in the test split"),
    ],
)
def test_what_is_held_out_is_said_to_be_left_out_of_training(splits, named):
    assert named in remark(splits.__contains__)


def test_nothing_is_said_of_what_is_trained_on():
    assert remark({"train"}.__contains__) == ""
