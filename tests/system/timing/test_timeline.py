import json
import threading
import time

import pytest

from tfxfer.errors import RunError, UsageError
from tfxfer.system.progress import Progress
from tfxfer.system.timing.timeline import recording, span


def _spans(path):
    """Returns the complete events of a trace, by name."""
    events = json.loads(path.read_text())["traceEvents"]
    return {event["name"]: event for event in events if event["ph"] == "X"}


def test_a_trace_has_the_spans_of_each_thread_in_microseconds(tmp_path):
    path = tmp_path / "timeline.json"

    def decode():
        with span("decode"):
            time.sleep(0.02)

    with recording(path), span("features"):
        other = threading.Thread(target=decode)
        other.start()
        other.join()
    found = _spans(path)
    features, inner = found["features"], found["decode"]
    assert features["tid"] != inner["tid"]
    assert features["ts"] <= inner["ts"]
    assert inner["ts"] + inner["dur"] <= features["ts"] + features["dur"]
    assert 20_000 <= inner["dur"] <= features["dur"]
    assert 0 <= inner["args"]["processor seconds"] < 10


def test_a_trace_begins_with_the_process_and_has_its_busy_cores(tmp_path):
    path = tmp_path / "timeline.json"
    with recording(path), span("wait"):
        time.sleep(0.25)
    found = _spans(path)
    assert found["start"]["ts"] == 0
    assert found["start"]["dur"] <= found["wait"]["ts"] + 1  # rounded
    events = json.loads(path.read_text())["traceEvents"]
    assert all(event["args"]["cores"] >= 0 for event in events if event["ph"] == "C")
    assert any(event["ph"] == "C" for event in events)


def test_passes_with_progress_are_spans(tmp_path):
    path = tmp_path / "timeline.json"
    with recording(path), Progress("features", 10) as progress:
        progress.update(10)
    assert "features" in _spans(path)


def test_a_timeline_is_written_also_after_an_error(tmp_path):
    path = tmp_path / "timeline.json"
    with pytest.raises(RunError), recording(path), span("head"):
        raise RunError("full disk")
    assert "head" in _spans(path)


def test_nothing_is_recorded_afterwards(tmp_path):
    path = tmp_path / "timeline.json"
    with recording(path) as timeline:
        pass
    before = timeline.as_trace()
    with span("late"):
        pass
    assert timeline.as_trace() == before


def test_a_file_that_cannot_be_written_is_refused_at_once(tmp_path):
    done = []
    with (
        pytest.raises(UsageError, match="--profile"),
        recording(tmp_path / "missing" / "timeline.json"),
    ):
        done.append(True)
    assert not done
