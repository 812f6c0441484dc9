import numpy as np
import pytest

from tfxfer.system.processes.messages import Message
from tfxfer.system.processes.team import Team, alone, belonging_to, current, is_first


def test_a_process_that_trains_alone_is_the_first_and_does_everything():
    team = current()
    assert (team.number, team.count) == (0, 1)
    assert is_first()
    told = Message({"a": 1})
    assert team.from_first(lambda: told) is told
    assert team.from_all("here") == ["here"]
    numbers = np.arange(5)
    assert team.computed(numbers, lambda some: some) is not None
    np.testing.assert_array_equal(team.computed(numbers, lambda some: some * 2), numbers * 2)


def test_a_process_belongs_to_a_team_within_a_context_and_to_none_while_it_is_alone():
    with belonging_to(Team(1, 3)):
        assert not is_first()
        assert current().describe(2) == "process 2 of 3"
        with alone():
            assert is_first()
            assert current().count == 1
        assert current().count == 3
    assert current().count == 1


def test_processes_are_named_where_their_names_are_known():
    team = Team(0, 2)
    team.names = ["pid 1 on a", "pid 2 on b"]
    assert team.describe(1) == "process 1 of 2 (pid 2 on b)"


@pytest.mark.parametrize(
    ("count", "block", "expected"),
    [
        (2, 1, [[0, 1, 2, 3, 4], [5, 6, 7, 8]]),
        (2, 4, [[0, 1, 2, 3, 4, 5, 6, 7], [8]]),
        (4, 4, [[0, 1, 2, 3], [4, 5, 6, 7], [8], []]),
        (1, 4, [[0, 1, 2, 3, 4, 5, 6, 7, 8]]),
    ],
)
def test_each_process_computes_whole_blocks_but_for_the_last(count, block, expected):
    numbers = np.arange(9)
    found = [
        Team(number, count).computed(numbers, lambda some: some, block).tolist()
        for number in range(count)
    ]
    assert found == expected
    assert Team(1, 2).computed(numbers[:0], lambda some: some, block).tolist() == []
