import pytest

from tfxfer.system.progress import Pace, Progress, readable_bytes, readable_seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.6, "1 h 00 min"),
        (3900, "1 h 05 min"),
        (47 * 3600, "47 h 00 min"),
        (72 * 3600, "3 days"),
    ],
)
def test_durations_read_as_people_say_them(seconds, text):
    assert readable_seconds(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1234, "1.2 kB"),
        (123_456, "123 kB"),
        (4_100_000, "4.1 MB"),
        (12_000_000_000, "12.0 GB"),
    ],
)
def test_sizes_read_as_people_say_them(number, text):
    assert readable_bytes(number) == text


def test_a_short_pass_leaves_nothing_in_a_log(capsys):
    with Progress("features", 100, 10) as progress:
        for batch in range(10):
            progress.update(batch + 1)
    assert capsys.readouterr().err == ""


def test_a_terminal_sees_how_far_a_pass_is_and_then_a_clear_line(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    seconds = iter([0.0, 10.0, 10.1, 20.0])
    monkeypatch.setattr("time.monotonic", lambda: next(seconds))
    with Progress("features", 35, 10) as progress:
        for batch in (1, 2, 4):
            progress.update(batch)
    assert capsys.readouterr().err == (
        "\r\033[Kfeatures 10/35, 25 s left\r\033[Kfeatures 35/35, 0 s left\r\033[K"
    )


def test_what_comes_once_is_no_part_of_the_pace():
    pace = Pace(100.0)
    assert pace.left(120.0, 1, 4) == 60.0  # the first of four took 20 s
    pace.begin(120.0, 1)
    assert pace.left(122.0, 2, 4) == 4.0  # the second took 2 s
    assert pace.left(130.0, 4, 4) == 0.0


def test_the_time_left_does_not_count_the_compilation_within_the_first_step(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    seconds = iter([0.0, 10.0, 11.0, 12.0])
    monkeypatch.setattr("time.monotonic", lambda: next(seconds))
    with Progress("features", 10) as progress:
        for batch in (1, 2, 3):
            progress.update(batch)
    assert [text.split(", ")[1] for text in capsys.readouterr().err.split("\r\033[K")[1:-1]] == [
        "1 min 30 s left",
        "8 s left",
        "7 s left",
    ]
