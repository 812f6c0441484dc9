from tfxfer.system.signals import Interruptions
from tfxfer.training.epochs.session import Session


def test_each_call_has_a_clock_of_its_own():
    one, other = (Session(Interruptions(), print) for _ in range(2))
    one.clock.lap("data")
    assert "data" in one.clock.seconds
    assert "data" not in other.clock.seconds
    assert one.callbacks == ()
