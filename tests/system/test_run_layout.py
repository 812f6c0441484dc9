import pathlib

import pytest

from tfxfer.system.run_layout import RunDirectory, files_of_model


@pytest.mark.parametrize("name", [".", "", "/", "..", "runs/a", "runs/a/"])
def test_what_a_run_is_made_of_must_stay_however_it_is_named(name):
    files = files_of_model(name)
    run = pathlib.Path(name)
    for part in ("config.toml", "model.keras", "model.seen.npz", "classes.txt", "metrics.json"):
        assert run / part in files
    assert run / "report.html" not in files
    assert run / "mine.json" not in files


def test_what_a_file_of_a_model_needs_must_stay(tmp_path):
    model = tmp_path / "model.keras"
    model.touch()
    beside = ("classes.txt", "thresholds.json", "tasks.json", "target.json")
    beside += ("model.seen.npz", "model.caution.npz")
    assert files_of_model(model) == [model, *(tmp_path / name for name in beside)]
    assert RunDirectory(tmp_path).seen in files_of_model(model)
    unnamed = model.rename(tmp_path / "model")
    assert {unnamed, tmp_path / "classes.txt"} <= {*files_of_model(unnamed)}
