import time

import pytest

from tfxfer.system.timing.spans import Moment, Span


def test_a_span_has_the_wall_and_processor_time_between_two_moments():
    one = Span("head", Moment(1.0, 2.0), Moment(3.5, 6.0))
    assert (one.seconds, one.cpu) == (2.5, 4.0)


def test_moments_count_processor_time_not_sleep():
    before = Moment.now()
    time.sleep(0.02)
    slept = Span("sleep", before, Moment.now())
    assert slept.seconds >= 0.02
    assert slept.cpu < slept.seconds


@pytest.mark.parametrize(("end", "is_in"), [(1.9, True), (2.0, True), (2.1, False)])
def test_a_span_contains_what_ends_before_it(end, is_in):
    outer = Span("outer", Moment(0.0, 0.0), Moment(2.0, 0.0))
    assert outer.contains(Span("inner", Moment(1.0, 0.0), Moment(end, 0.0))) is is_in
