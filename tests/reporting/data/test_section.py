"""What the features say about the data, as the report of a run shows it."""

import json
import re

import pytest

from tfxfer.errors import UsageError
from tfxfer.reporting.data.section import SHOWN_OF_GROUP, SHOWN_SUSPECTS, section_of_data
from tfxfer.system.run_layout import RunDirectory


def made(tmp_path, **changes):
    paths = [f"/photos/<b>/{number}.jpg" for number in range(12)]
    found = {
        "backbone": "small",
        "num_images": 12,
        "num_known": 12,
        "splits": ["train", "validation"],
        "command": "tfxfer check photos --backbone small --output check.html",
        "suspect_labels": [
            {"path": path, "given": "a", "suggested": "b", "score": 0.1} for path in paths
        ],
        "near_copies": [
            {"paths": paths[:6], "classes": ["a"] * 6, "splits": ["train"] * 5 + ["validation"]}
        ],
        "outliers": [{"path": paths[0], "class": "a", "score": 2.5}],
        "shift": [
            {
                "splits": ["train", "validation"],
                "auroc": 0.9,
                "interval": [0.8, 1.0],
                "only_in": {"train": ["c"], "validation": []},
            }
        ],
        "thumbnails": {path: f"data:{number}" for number, path in enumerate(paths)},
    }
    run = RunDirectory(tmp_path)
    run.data_findings.write_text(json.dumps(found | changes))
    return run


def test_it_is_cut_to_the_most_suspicious(tmp_path):
    section = section_of_data(made(tmp_path))
    assert section["num_suspects"] == 12
    assert len(section["suspects"]) == SHOWN_SUSPECTS
    first = section["suspects"][0]
    assert (first["url"], first["id"], first["suggested"]) == ("data:0", "photos/<b>/0.jpg", "b")
    (group,) = section["groups"]
    assert (len(group["tiles"]), group["more"]) == (SHOWN_OF_GROUP, 2)
    assert section["outliers"][0]["name"] == "a"


def test_it_says_what_a_shift_means(tmp_path):
    lines = section_of_data(made(tmp_path))["shifts"]
    assert re.search("train and validation.*differ.*0.90.*0.80 to 1.00", lines[0])
    assert re.search("'train'.*'validation'.* c", lines[-1])


def test_older_runs_have_no_such_section(tmp_path):
    assert section_of_data(RunDirectory(tmp_path)) is None


@pytest.mark.parametrize("content", ["", "{}", "[1]"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    run = RunDirectory(tmp_path)
    run.data_findings.write_text(content)
    with pytest.raises(UsageError, match=r"Cannot read .*data_findings\.json.*Delete it"):
        section_of_data(run)
