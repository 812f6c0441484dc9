"""The manifest of a run, whose labels and tasks the run knows."""

from tfxfer.data.labels.reading import AS_GIVEN
from tfxfer.data.labels.tasks import Tasks, write_tasks
from tfxfer.data.sources.manifests.of_run import is_of_run, labels_of_run, reading_of_run
from tfxfer.system.run_layout import RunDirectory


def test_a_run_knows_its_labels_and_tasks(tmp_path):
    run = RunDirectory(tmp_path)
    assert not is_of_run(run.splits)
    assert labels_of_run(run.splits) == []
    assert reading_of_run(run.splits, AS_GIVEN) is AS_GIVEN
    run.config.write_text("")
    run.classes.write_text("a=x\na=y\n")
    assert is_of_run(run.splits)
    assert not is_of_run(tmp_path / "other.csv")
    assert labels_of_run(run.splits) == ["a=x", "a=y"]
    assert reading_of_run(run.splits, AS_GIVEN) is AS_GIVEN
    write_tasks(run.tasks, Tasks(("a", "b"), (("x", "y"), ("1", "2"))))
    assert reading_of_run(run.splits, AS_GIVEN).tasks == ("a", "b")
