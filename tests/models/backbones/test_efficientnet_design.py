"""The scaling of groups of blocks."""

import pytest

from tfxfer.models.backbones.efficientnet_design import Group, rounded_channels, scaled

GROUPS = (Group(3, 1, 16, 1, 1), Group(3, 2, 24, 6, 2, "fused", expanded=24), Group(5, 1, 80, 6, 2))


@pytest.mark.parametrize(
    ("asked", "given"), [(288, 288), (3, 8), (11, 16), (20, 24), (90, 88), (35.2, 32), (26.4, 24)]
)
def test_channels_are_multiples_of_eight_not_far_below(asked, given):
    assert rounded_channels(asked) == given


def test_width_and_depth_are_factors_and_repeats_are_rounded_up():
    found = scaled(GROUPS, 1.2, 1.1)
    assert [(one.channels, one.repeats) for one in found] == [(24, 2), (32, 3), (96, 2)]
    assert [one.expanded for one in found] == [None, 32, None]
    assert (found[1].kind, found[1].stride, found[1].expansion) == ("fused", 2, 6)
    assert scaled(GROUPS, 1.0, 1.0) == GROUPS


def test_the_first_and_the_last_group_may_keep_their_repeats():
    found = scaled(GROUPS, 1.2, 1.1, keeps_ends=True)
    assert [one.repeats for one in found] == [1, 3, 1]
