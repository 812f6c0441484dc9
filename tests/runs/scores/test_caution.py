"""The record of what a model calls unknown."""

import dataclasses
import json

from tfxfer.runs.scores.caution import CautionRecord, least_images

RECORD = CautionRecord(0.05, 10, 400, 0.25, 0.9, 0.2, "test", 1100, True)


def test_a_record_survives_its_json():
    content = json.loads(json.dumps({**dataclasses.asdict(RECORD), "later": 1}))
    assert CautionRecord.of_json(content) == RECORD


def test_rare_events_take_many_images():
    assert [least_images(rate) for rate in (0.5, 0.2, 0.05, 0.01)] == [1, 4, 19, 99]


def test_it_says_what_was_decided():
    text = RECORD.describe()
    assert "above a distance of 0.2500 (at most 5% false alarms)" in text
    assert "90% coverage, calibrated on 1,100 images (test)" in text
    assert "approximate" not in text
    assert "approximate" in dataclasses.replace(RECORD, is_independent=False).describe()
