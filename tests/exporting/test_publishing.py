import json
import shutil

import pytest

from tfxfer.errors import DataError, ExportError
from tfxfer.exporting.publishing import OtherDataSummary, check_accuracy, open_and_tell
from tfxfer.runs.metrics_record import FitMetrics


def test_on_other_data_their_name_and_notes_stand_behind_the_scores():
    found = OtherDataSummary(accuracy=0.5, num_examples=3, data="photos", notes=("a note",))
    content = json.loads(json.dumps(FitMetrics({"all": found}).as_json()))
    assert list(content["all"]) == ["accuracy", "num_examples", "data", "notes"]
    assert content["all"]["notes"] == ["a note"]


def test_min_accuracy_applies_to_the_evaluation_split(tmp_path):
    found = FitMetrics({"validation": OtherDataSummary(0.9), "test": OtherDataSummary(0.5)})
    check_accuracy(found, 0.5, tmp_path)
    check_accuracy(FitMetrics(), 0.0, tmp_path)  # nothing is asked
    with pytest.raises(ExportError, match="on test is 0.5000, below .* 0.6 .*--min-accuracy"):
        check_accuracy(found, 0.6, tmp_path)


def test_notes_on_other_data_are_printed(trained, pictures):
    said = []
    own = open_and_tell(trained, None, None, said.append)
    assert own.evaluation_split == "test"
    assert said == []
    other = open_and_tell(trained, str(pictures / "train"), None, said.append)
    assert said == [f"note: {note}" for note in other.notes]
    assert said


def test_data_with_a_class_that_the_model_does_not_know_are_refused(trained, pictures, tmp_path):
    known = trained.class_names[0]
    for split in ("train", "test"):
        shutil.copytree(pictures / split, tmp_path / split)
        shutil.move(tmp_path / split / known, tmp_path / split / "pink")
    with pytest.raises(DataError, match="classes .*model .*: pink"):
        open_and_tell(trained, str(tmp_path), None, print)
