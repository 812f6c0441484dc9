import pytest

from tfxfer.errors import UsageError
from tfxfer.system.processes.asked import Processes


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"count": 0}, "--num-processes is 0; it must be at least 1"),
        ({"number": -1}, "--process-id is -1; it must be at least 0"),
        ({"number": 2, "count": 2}, "--process-id is 2, but of 2 processes the last is 1"),
        ({"seconds": 0}, "--coordinator-seconds is 0; it must be at least 1"),
        ({"coordinator": "node1"}, "--coordinator is 'node1'; it must be HOST:PORT"),
        ({"coordinator": ":80"}, "it must be HOST:PORT"),
        ({"coordinator": "node1:70000"}, "it must be HOST:PORT"),
    ],
)
def test_what_is_impossible_is_refused(given, message):
    with pytest.raises(UsageError, match=message):
        Processes(**given)


def test_what_is_not_given_is_left_to_jax():
    assert Processes().describe() == "at the address that JAX found"
    assert Processes("[::1]:9731", 1, 2).describe() == "at [::1]:9731"
