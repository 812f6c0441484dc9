"""The record of a calibration."""

import json

from tfxfer.runs.scores.calibration import CalibrationErrors, CalibrationRecord


def test_a_record_survives_its_json():
    errors = {"validation": CalibrationErrors(0.1, 0.02), "test": CalibrationErrors(0.2, 0.1)}
    record = CalibrationRecord(1.7, errors, applied=True)
    content = json.loads(json.dumps({**record.as_json(), "later": 1}))
    assert CalibrationRecord.of_json(content) == record
