import pytest

from tfxfer.errors import UsageError
from tfxfer.models.backbones.backbone import head_stages

STAGES = ("stem", "block_1", "block_2", "top")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, ("top",)),
        ("1", ("top",)),
        ("3", ("block_1", "block_2", "top")),
        ("4", STAGES),
        ("all", STAGES),
        ("block_1", ("block_1", "top")),
        ("block_2, stem", ("stem", "block_2", "top")),
        ("top,stem", ("stem", "top")),
    ],
)
def test_a_head_reads_the_last_stage_and_those_that_are_asked_for(asked, expected):
    assert head_stages(STAGES, asked) == expected


@pytest.mark.parametrize("asked", ["0", "5", "-1"])
def test_a_number_must_be_one_of_stages(asked):
    with pytest.raises(UsageError, match=f"is {asked}; this backbone has 4 stages: stem, .*1 to 4"):
        head_stages(STAGES, asked)


@pytest.mark.parametrize("asked", ["blok_1", "block_1,,top", "", "1.5"])
def test_other_names_are_refused_with_those_that_there_are(asked):
    with pytest.raises(UsageError, match="there is no stage .*'all', a number .*stem, block_1"):
        head_stages(STAGES, asked)
