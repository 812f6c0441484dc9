"""What is said of what a check has found."""

import numpy as np

from tfxfer.data.checks.result import NAMED_GROUPS, Affected, CheckResult, Finding


def test_of_many_examples_all_are_counted_and_the_first_are_named():
    affected = Affected.singly(NAMED_GROUPS + 5, lambda place: f"{place}.jpg")
    assert affected.count == affected.num_examples == NAMED_GROUPS + 5
    assert len(affected.named) == len(affected.sizes) == NAMED_GROUPS
    assert affected.describe() == ["0.jpg", "1.jpg", "2.jpg", f"and {NAMED_GROUPS + 2:,} more"]


def test_a_large_group_lists_the_first_and_counts_the_others():
    affected = Affected(1, 30, (("a", "b", "c", "d", "e", "f"),), (30,))
    assert affected.describe() == ["a = b = c = d = e and 25 others"]
    affected = Affected(1, 6, (("a", "b", "c", "d", "e", "f"),), (6,))
    assert affected.describe() == ["a = b = c = d = e and 1 other"]


def test_a_result_says_what_stops_a_fit():
    counts = {"train": np.array([3, 1]), "test": np.array([1, 1])}
    finding = Finding("unreadable", "1 unreadable image", "stops", True)
    result = CheckResult("pets", ("cat", "dog"), counts, (finding,), {"train": 4, "test": 2})
    assert result.blocks
    *lines, verdict = result.describe().splitlines()
    assert "1 error" in verdict
    assert "stop" in verdict
    assert lines == [
        "pets                train        test",
        "cat                     3           1",
        "dog                     1           1",
        "all classes             4           2",
        "",
        "ERROR  1 unreadable image",
        "       fit: stops",
        "",
    ]
    assert result.as_json()["splits"]["train"] == {
        "num_examples": 4,
        "classes": {"cat": 3, "dog": 1},
    }
