"""The record of a cross-validation."""

import json

from tfxfer.runs.scores.folds import FoldsRecord


def test_a_record_survives_its_json():
    record = FoldsRecord(5, 420, 0.93, (0.9, 0.95), 0.2)
    content = json.loads(json.dumps({**vars(record), "later": 1}))
    assert FoldsRecord.of_json(content) == record
