import json

from tfxfer.system.timing.clock import Clock
from tfxfer.system.timing.timeline import recording


def test_the_total_includes_the_time_before_an_interruption():
    clock = Clock()
    clock.add_earlier(0.0)
    assert list(clock.seconds) == ["total"]
    clock.add_earlier(100.0)
    clock.lap("head")
    assert list(clock.seconds) == ["earlier", "head", "total"]
    assert 100 <= clock.seconds["total"] < 110
    assert clock.seconds["head"] < 10


def test_each_lap_is_a_part_of_the_timeline(tmp_path):
    with recording(tmp_path / "timeline.json") as timeline:
        clock = Clock()
        clock.lap("head")
        clock.lap("finetune")
    names = [event["name"] for event in json.loads(timeline.as_trace())["traceEvents"]]
    assert [name for name in names if name in ("head", "finetune")] == ["head", "finetune"]
