import os
import signal
import threading

import pytest

from tfxfer.errors import InterruptionError
from tfxfer.system.signals import SIGNALS, Interruptions


@pytest.fixture(autouse=True)
def as_a_terminal_has_it():
    """Has Ctrl-C do what it does: a shell has what runs in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_raises_at_once(number, code):
    before = [signal.getsignal(other) for other in SIGNALS]
    with pytest.raises(InterruptionError, match=f"by {number.name}") as raised, Interruptions():
        os.kill(os.getpid(), number)
    assert raised.value.exit_code == code
    assert [signal.getsignal(other) for other in SIGNALS] == before


def test_a_deferred_signal_waits_for_the_check():
    done = []
    with pytest.raises(InterruptionError), Interruptions() as interruptions:
        with interruptions.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("step")
            # A second one ends the process, whatever it is doing.
            assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
            assert interruptions.received == signal.SIGTERM
        interruptions.check()
    assert done == ["step"]


def test_an_error_that_a_library_made_of_a_signal_is_a_signal_again():
    with pytest.raises(InterruptionError, match="by SIGINT"), Interruptions():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except InterruptionError:
            raise ValueError("cannot read an image") from None


def test_without_a_signal_nothing_happens():
    with pytest.raises(ValueError, match="mine"), Interruptions() as interruptions:
        interruptions.check()
        raise ValueError("mine")


def test_what_a_parent_has_us_ignore_is_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruptions() as interruptions:
            os.kill(os.getpid(), signal.SIGINT)
        assert interruptions.received is None
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_signals_are_left_as_they_are():
    before, entered = [signal.getsignal(number) for number in SIGNALS], []

    def enter():
        with Interruptions():
            entered.extend(signal.getsignal(number) for number in SIGNALS)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert entered == before
