"""Decisions before training, as a run has recorded them."""

import pytest

from tfxfer.ranking.decisions.mirroring import Mirroring
from tfxfer.ranking.decisions.recording import recorded
from tfxfer.system.files import write_json
from tfxfer.system.run_layout import MIRRORING, RunDirectory


def test_a_decision_is_read_as_it_was_written(tmp_path):
    run, decision = RunDirectory(tmp_path), Mirroring(False, 0.2, 1.5, (0.2, 0.4))
    assert recorded(run, MIRRORING, Mirroring.of_json) is None
    write_json(run.decision(MIRRORING), decision.as_json())
    assert recorded(run, MIRRORING, Mirroring.of_json) == decision


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b"\xff", b'{"flip": true}'])
def test_a_damaged_one_counts_as_none(content, tmp_path):
    run = RunDirectory(tmp_path)
    run.decision(MIRRORING).write_bytes(content)
    assert recorded(run, MIRRORING, Mirroring.of_json) is None
