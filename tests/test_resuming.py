"""An interrupted and resumed run ends exactly as an uninterrupted one, bit for bit."""

import contextlib
import pathlib
import re
import shutil
import signal
import subprocess
import threading

import keras
import killing
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import small_config
from dying import Death, dying

import tfxfer.runs.journal
from tfxfer.api.fit import fit
from tfxfer.cli.app import main
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.errors import DivergenceError, ExportError, RunError, UsageError
from tfxfer.models.objectives import SOFTMAX
from tfxfer.planning.plan import make_plan
from tfxfer.planning.resuming import asked_settings
from tfxfer.runs.checkpoints import Checkpoints
from tfxfer.runs.journal import Journal
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions


def settings(**others):
    """Returns settings of a short fit."""
    return {"run": "killed", "head": {"epochs": 3}, "finetune": {"epochs": 3}} | others


EACH_STEP = {"checkpoint_minutes": 1e-9}
CASES = {
    "lbfgs": {},
    "adam": {"head": {"epochs": 6, "optimizer": "adam", "dropout": 0.5, "hidden_units": (8,)}},
    "streamed": {
        "head": {"epochs": 2, "optimizer": "sgd"},
        "memory_gigabytes": 0.0,
        "cache_gigabytes": 0.0,
    },
    "adapting": {"head": {"epochs": 0}, "finetune": {"epochs": 3, "batch_norm": "adapt"}},
    "strongly_augmented": {
        "augment": {"flip": True, "rotation": 5.0, "crop": 0.2, "policy": "trivial"}
    },
    # Their frozen activations are kept.
    "mirrored": {
        "finetune": {"epochs": 3, "unfreeze": "block_3"},
        "augment": {"flip": True, "shift": 0.0, "zoom": 0.0, "rotation": 0.0},
    },
    # Each view of an image is seen in two epochs.
    "echoing": {
        "finetune": {"epochs": 3, "unfreeze": "block_3", "echo": 2},
        "augment": {"flip": True, "shift": 0.1},
    },
    "mixed_images": {"augment": {"mixup": 0.2, "cutmix": 1.0}, "class_weights": "balanced"},
    "mixed_float16": {"precision": "mixed_float16"},
    "mixed_bfloat16": {"precision": "mixed_bfloat16"},
    "rates": {"finetune": {"epochs": 3, "head_rate": 10.0, "layer_decay": 0.5, "unfreeze": "all"}},
    "average": {"finetune": {"epochs": 3, "ema": 0.9, "batch_norm": "adapt"}},
    "patient": {"finetune": {"epochs": 6, "patience": 1, "learning_rate": 0.5}},
    "grouped": {"group_near_copies": True, "folds": 3},
    "careful": {"unknown": True, "unknown_rate": 0.4, "coverage": 0.6, "calibrate": True},
    "ordered": {"ordered": True, "class_order": "red,green,blue"},
    "range_test": {"find_rate": True, "head": {"epochs": 3, "dropout": 0.5}},
    "gradual": {
        "head": {"epochs": 3, "dropout": 0.5},
        "finetune": {"epochs": 5, "gradual": True, "ema": 0.5, "batch_norm": "adapt"},
    },
    "stages": {
        "head": {"epochs": 3, "stages": "all"},
        "finetune": {"epochs": 3, "unfreeze": "block_2"},
        # What is trained is read from cached activations, with the features before them.
        "augment": {"flip": False, "shift": 0.0, "zoom": 0.0, "rotation": 0.0},
    },
    "soup": {
        "head": {"epochs": 3, "penalty": 3.0},
        "finetune": {"epochs": 3, "average": "soup", "batch_norm": "adapt", "ema": 0.5},
    },
    "wise": {
        "head": {"epochs": 3, "penalty": 3.0, "dropout": 0.5},
        "finetune": {"epochs": 3, "average": "wise", "batch_norm": "adapt"},
    },
    # A strong penalty leaves the head a loss that fine-tuning can lower.
    "searching": {"effort": "standard", "head": {"epochs": 3, "penalty": 3.0}},
    "searching_soup": {
        "effort": "standard",
        "head": {"epochs": 3, "penalty": 3.0},
        "finetune": {"epochs": 3, "average": "soup"},
    },
    # With these given, seven trials.
    "searching_thorough": {
        "effort": "thorough",
        "max_minutes": 60.0,
        "head": {"epochs": 3, "penalty": 3.0},
        "finetune": {"unfreeze": "all", "learning_rate": 1e-3, "epochs": 2},
    },
}
# Images with several labels.
TAGGED = {"tags": {}, "searching_tags": CASES["searching"]}
# Images with two tasks.
TASKED = {
    "tasks": {"tasks": "color,warmth"},
    "mixed_tasks": {
        **{"tasks": "color,warmth", "augment": {"mixup": 0.2}},
        "head": {"epochs": 3, "optimizer": "adam"},
    },
}
# Before the first trial, within it, before the second, within it, at the end of the search, and
# when the settings of the run are already those of the way that was chosen.
SEARCHING = [
    "search: trial 1",
    "finetune  epoch 2",
    "search: trial 2",
    "finetune  epoch 3",
    "search: chose",
    "\ntest acc",
]
MOMENTS = ["head  ", *(f"finetune  epoch {number}" for number in (1, 2, 3)), "\ntest acc"]


@pytest.fixture(scope="module")
def whole(pictures, weights_file, tmp_path_factory):
    """Returns what comes of a case that is left alone."""
    known = {}

    def outcome(case):
        if case not in known:
            folder = tmp_path_factory.mktemp("whole")
            config = small_config(pictures, weights_file, folder, **settings(**CASES[case]))
            fit(config, say=lambda _: None)
            known[case] = killing.outcome(killing.Place(folder))
        return known[case]

    return outcome


def check_it_ends_the_same(case, moments, whole, pictures, weights_file, tmp_path):
    others = settings(**CASES[case], **EACH_STEP)
    config = small_config(pictures, weights_file, tmp_path, **others)
    lines = []
    for moment in moments:
        if killing.is_finished(killing.Place(tmp_path)):
            break  # it was patient no longer
        with contextlib.suppress(Death):
            fit(config, say=dying(moment, lines))
    result = fit(resume=tmp_path / "runs" / "killed", say=lines.append)
    assert killing.differences(whole(case), killing.outcome(killing.Place(tmp_path))) == []
    assert not list(result.run.rglob(".*"))
    assert not (result.run / "checkpoints").exists()
    assert result.metrics["seconds"]["total"] > result.metrics["seconds"]["earlier"] > 0
    durations = re.findall(r"^duration .*", "\n".join(lines), re.MULTILINE)
    assert "before resuming" in durations[-1]
    return lines


@pytest.mark.slow
def test_a_fit_that_died_ends_the_same(whole, pictures, weights_file, tmp_path):
    lines = check_it_ends_the_same("lbfgs", MOMENTS[2:3], whole, pictures, weights_file, tmp_path)
    (resumed,) = [line for line in lines if line.startswith("resuming")]
    # It dies when an epoch is printed, before its checkpoint: two of its three steps were saved.
    assert "finetune phase" in resumed
    assert resumed.endswith("step 2 of epoch 2")


@pytest.mark.slow
def test_a_fit_that_died_in_each_of_its_parts_ends_the_same(
    whole, pictures, weights_file, tmp_path
):
    lines = check_it_ends_the_same("lbfgs", MOMENTS, whole, pictures, weights_file, tmp_path)
    resumed = [line for line in lines if line.startswith("resuming")]
    assert [line.partition("after ")[2] for line in resumed] == [
        f"step 2 of epoch {epoch}" for epoch in (1, 2, 3)
    ]
    assert sum(line.startswith("head  ") for line in lines) > 3
    # Once the weights are final nothing is trained again.
    assert sum(line.startswith("finetune  epoch 3/3") for line in lines) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [case for case in CASES if case != "lbfgs" and not case.startswith("searching")]
)
def test_it_ends_the_same_under_any_settings(case, whole, pictures, weights_file, tmp_path):
    # Without a head phase it cannot die in one.
    moments = MOMENTS[1:4:2] if case == "adapting" else MOMENTS[::2]
    if case == "range_test":
        moments = ["learning rate range test", *MOMENTS[2:3]]
    if case == "gradual":
        moments = [f"finetune  epoch {number}" for number in (1, 2, 4)]
    if case in ("soup", "wise"):
        moments = [MOMENTS[2], "average: ", MOMENTS[-1]]
    check_it_ends_the_same(case, moments, whole, pictures, weights_file, tmp_path)


@pytest.mark.slow
def test_a_search_that_died_in_each_of_its_parts_ends_the_same(
    whole, pictures, weights_file, tmp_path
):
    lines = check_it_ends_the_same("searching", SEARCHING, whole, pictures, weights_file, tmp_path)
    resumed = [line for line in lines if line.startswith("resuming")]
    assert "resuming the finetune phase after step 2 of epoch 2" in resumed
    assert sum(line.startswith("resuming the search after 1 trial") for line in resumed) == 2
    # No trial was run twice.
    assert sum(line.startswith("search: trial 1") for line in lines) == 2
    assert sum(line.startswith("search: trial 2") for line in lines) == 2
    run = RunDirectory(tmp_path / "runs" / "killed")
    assert [read_recipe(path, FitConfig()).effort for path in (run.asked, run.config)] == [
        *("standard", "quick"),
    ]


@pytest.mark.slow
def test_a_range_test_decides_nothing(pictures, weights_file, tmp_path):
    places = {name: killing.Place(tmp_path / name) for name in ("with", "without")}
    for name, place in places.items():
        others = settings(head=CASES["range_test"]["head"], find_rate=name == "with")
        config = small_config(pictures, weights_file, place.folder, **others)
        fit(config, say=lambda _: None)
    assert killing.differences(*map(killing.outcome, places.values())) == []
    assert "range-test" in (places["with"].run / "report.html").read_text()
    assert "range-test" not in (places["without"].run / "report.html").read_text()


@pytest.mark.slow
def test_a_search_that_died_as_it_averaged_ends_the_same(whole, pictures, weights_file, tmp_path):
    moments = ["search: trial 2", "average: ", "\ntest acc"]
    case = "searching_soup"
    lines = check_it_ends_the_same(case, moments, whole, pictures, weights_file, tmp_path)
    assert sum(line.startswith("average: ") for line in lines) == 2


@pytest.mark.slow
def test_a_thorough_search_that_died_ends_the_same(whole, pictures, weights_file, tmp_path):
    moments = ["search: trial 3", "finetune  epoch 2", "search: chose", "average: ", "\ntest acc"]
    case = "searching_thorough"
    lines = check_it_ends_the_same(case, moments, whole, pictures, weights_file, tmp_path)
    assert any(line.startswith("search: trial 6") for line in lines)
    assert any(line.startswith("search: trial") and "another seed" in line for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("case", [*TAGGED, *TASKED])
def test_several_labels_end_the_same(case, tagged, tasked, weights_file, tmp_path):
    outcomes, data = [], tasked if case in TASKED else tagged
    moments = SEARCHING if case == "searching_tags" else MOMENTS
    for name, some in (("whole", []), ("killed", [*moments[:-1], "\ntest mean"])):
        others = settings(**(TAGGED | TASKED)[case], **(EACH_STEP if some else {}))
        config = small_config(data, weights_file, tmp_path / name, **others)
        lines = []
        for moment in some:
            with contextlib.suppress(Death):
                fit(config, say=dying(moment, lines))
        fit(config, say=lines.append)
        outcomes.append(killing.outcome(killing.Place(tmp_path / name)))
    assert any(line.startswith("resuming") for line in lines)
    assert killing.differences(*outcomes) == []


@pytest.mark.slow
def test_a_comparison_that_was_interrupted_ends_the_same(pictures, weights_file, tmp_path):
    others = settings(finetune={"epochs": 1}, compare_scratch=True, compare_examples=15)
    outcomes = []
    for name, moments in {
        "whole": [],
        "killed": ["\ncomparison: pre", "\ncomparison: from"],
    }.items():
        config = small_config(pictures, weights_file, tmp_path / name, **others)
        for moment in moments:
            with pytest.raises(Death):
                fit(config, say=dying(moment, []))
        # What was open is decided for the fewer images also where a run is resumed by its name.
        again = {"resume": tmp_path / name / "runs" / "killed"} if moments else {"config": config}
        result = fit(**again, say=lambda _: None)
        outcomes.append(killing.outcome(killing.Place(tmp_path / name)))
        assert result.export.name == "1"  # it is not exported again
        assert not list(result.run.rglob("checkpoints"))
    assert killing.differences(*outcomes) == []


@pytest.fixture(scope="module")
def begun(pictures, weights_file, tmp_path_factory):
    """The folder of a run that died after its first epoch of fine-tuning, with its data."""
    folder = tmp_path_factory.mktemp("begun")
    shutil.copytree(pictures, folder / pictures.name)
    config = small_config(folder / pictures.name, weights_file, folder, **settings())
    with pytest.raises(Death):
        fit(config, say=dying("finetune  epoch 2", []))
    return folder


@pytest.fixture
def interrupted(begun, tmp_path):
    """A copy of that run, and its settings."""
    shutil.copytree(begun / "runs", tmp_path / "runs")
    run = tmp_path / "runs" / "killed"
    return asked_settings(FitConfig, None, {}, resume=run), run


@pytest.mark.slow
def test_other_settings_than_the_run_s_are_refused_by_name(interrupted):
    config, run = interrupted
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    for others, message in {
        "precision": ({"precision": "mixed_bfloat16"}, "precision 'float32', now 'mixed_bfloat16'"),
        "backbone": ({"backbone": "mobilenet_050"}, "backbone 'small', now 'mobilenet_0"),
        "data": ({"data": "digits"}, "data '.*', now 'digits'"),
        "seed": ({"seed": 7}, "seed 0, now 7"),
        "frame": ({"fit_images": "pad"}, "fit_images 'crop', now 'pad'"),
        "channels": ({"channels": 1}, "channels 3, now 1"),
        "rate": ({"finetune": {"learning_rate": 0.5}}, r"finetune.learning_rate .*, now 0\.5"),
    }.values():
        for arguments in ({"resume": run, **others}, {"config": config, **others}):
            if "data" in others and "config" in arguments:
                continue  # whose weights do not fit
            expected = f"'.*killed': .*{message}"
            with pytest.raises(UsageError, match=expected):
                fit(**arguments, say=lambda _: None)
    assert before == {path: path.stat().st_mtime_ns for path in run.rglob("*")}


def test_data_that_changed_are_refused(interrupted):
    config, _ = interrupted
    picture = pathlib.Path(config.data, "train", "red", "0.jpg")
    content = picture.read_bytes()
    picture.write_bytes(pathlib.Path(config.data, "test", "red", "0.jpg").read_bytes())
    try:
        with pytest.raises(RunError, match=r"Cannot resume '.*killed': the data changed.*--data"):
            fit(config, say=lambda _: None)
    finally:
        picture.write_bytes(content)


def test_data_that_were_renamed_are_resumed_with_by_their_content(interrupted, tmp_path):
    _, run = interrupted
    data = read_recipe(run / "config.toml", FitConfig()).data
    renamed = shutil.copytree(data, tmp_path / "renamed")
    plan = make_plan(asked_settings(FitConfig, None, {"data": str(renamed)}, resume=run))
    assert (plan.run.path, plan.config.data) == (run, str(renamed))
    facts = {"data": plan.source.fingerprint(), "weights": weights_of(run)}
    journal = Journal(plan.run, plan.config, facts, Interruptions(), print, rank=SOFTMAX.rank)
    assert journal.found.state["phase"] == "finetune"
    (renamed / "train" / "red" / "0.jpg").unlink()
    with pytest.raises(UsageError, match=r"Cannot resume '.*killed'.*renamed', whose images"):
        make_plan(asked_settings(FitConfig, None, {"data": str(renamed)}, resume=run))


def weights_of(run):
    """Returns the digest of the initial weights that a run has noted."""
    return Checkpoints(run / "checkpoints").read()[0].state["facts"]["weights"]


def test_a_run_whose_data_are_gone_says_where_they_were(interrupted, tmp_path):
    _, run = interrupted
    gone = tmp_path / "gone"
    text = (run / "config.toml").read_text()
    lines = [f'data = "{gone}"' if line.startswith("data =") else line for line in text.split("\n")]
    (run / "config.toml").write_text("\n".join(lines))
    with pytest.raises(UsageError, match=rf"Cannot resume '.*killed': .*'{gone}'.*--data"):
        asked_settings(FitConfig, None, {}, resume=run)


def test_another_backend_or_checkpoint_format_is_refused(interrupted, monkeypatch):
    config, run = interrupted
    monkeypatch.setattr(tfxfer.runs.journal, "FORMAT", 2)
    with pytest.raises(RunError, match=r"checkpoint format .*tfxfer .*--run"):
        fit(config, say=lambda _: None)
    monkeypatch.undo()
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RunError, match="the Keras backend was 'tensorflow'.* now 'jax'"):
        Journal(
            RunDirectory(run),
            config,
            {"data": "", "weights": ""},
            Interruptions(),
            print,
            rank=SOFTMAX.rank,
        )


@pytest.mark.slow
def test_a_truncated_checkpoint_falls_back_to_the_previous_one(interrupted, whole, tmp_path):
    config, run = interrupted
    last = max((run / "checkpoints").glob("*.npz"), key=lambda path: int(path.stem))
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    lines = []
    fit(config, say=lines.append)
    (line,) = [line for line in lines if str(last) in line]
    assert "corrupt" in line
    assert "previous checkpoint" in line
    assert killing.differences(whole("lbfgs"), killing.outcome(killing.Place(tmp_path))) == []


def test_a_finished_run_has_nothing_to_resume(finished):
    result, _ = finished
    before = {path: path.stat().st_mtime_ns for path in result.run.rglob("*")}
    lines = []
    again = fit(resume=result.run, say=lines.append)
    (line,) = lines
    assert str(result.run) in line
    assert "finished" in line
    assert again == result
    assert before == {path: path.stat().st_mtime_ns for path in result.run.rglob("*")}


@pytest.mark.slow
def test_an_export_that_was_refused_is_tried_again_without_training(interrupted, monkeypatch):
    config, _ = interrupted

    def refused(*_):
        raise ExportError("The disk is full.")

    with monkeypatch.context() as patch, pytest.raises(ExportError):
        patch.setattr("tfxfer.api.fit.export_saved_model", refused)
        fit(config, say=lambda _: None)
    lines = []
    result = fit(config, say=lines.append)
    assert result.export.is_dir()
    assert not any(line.startswith("finetune") for line in lines)


@pytest.mark.slow
def test_a_time_budget_limits_training_and_the_best_is_exported(pictures, weights_file, tmp_path):
    lines = []
    config = small_config(
        *(pictures, weights_file, tmp_path), max_minutes=0.001, **settings(run="short")
    )
    result = fit(config, say=lines.append)
    assert " 0.001 min" in lines[0]
    assert any(re.match("finetune: .*1 epoch of 1 step", line) for line in lines)
    # No time was left for more than the head.
    assert not any(line.startswith("finetune  epoch") for line in lines)
    assert result.export.is_dir()


@pytest.mark.slow
def test_a_fit_that_diverges_keeps_the_best_so_far(pictures, weights_file, tmp_path):
    others = settings(finetune={"epochs": 3, "optimizer": "sgd", "learning_rate": 1e30})
    config = small_config(pictures, weights_file, tmp_path, **others)
    message = r"training loss .* finetune.*--finetune-.*epoch \d of the head phase.*model.keras"
    with pytest.raises(DivergenceError, match=message):
        fit(config, say=lambda _: None)
    model = keras.models.load_model(tmp_path / "runs" / "killed" / "model.keras")
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


PICTURES = [
    *("fit", "--backbone", "resnet10_small", "--image-size", "32", "--effort", "quick"),
    *("--batch-size", "2", "--finetune-epochs", "400"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_step_and_says_how_to_resume(number, code, pictures, tmp_path):
    place = killing.Place(tmp_path)
    words = killing.command(place, [*PICTURES, "--data", str(pictures)])
    process = killing.begin(place, words)
    while "finetune  epoch   1/400" not in place.output.read_text():
        assert process.poll() is None, place.output.read_text()
        threading.Event().wait(0.05)
    process.send_signal(number)
    assert process.wait(60) == code
    said = place.output.read_text()
    assert f"\nInterrupted by {number.name}." in said
    assert said.endswith(f"\n  tfxfer fit --resume {place.run}\n")
    found, corrupt = Checkpoints(place.run / "checkpoints").read()
    assert corrupt == []
    assert found.state["phase"] == "finetune"
    assert (found.state["epoch"], found.state["step"]) > (0, 0)
    assert not list(place.run.rglob(".*"))
    # The last epoch that was printed is in the checkpoint.
    last = re.findall(r"^finetune +epoch +(\d+)/400", said, re.MULTILINE)[-1]
    assert found.state["epoch"] == int(last)


@pytest.mark.slow
def test_two_processes_cannot_have_one_run(pictures, tmp_path):
    place = killing.Place(tmp_path)
    words = killing.command(place, [*PICTURES, "--data", str(pictures)])
    process = killing.begin(place, words)
    try:
        while not (place.run / "config.toml").exists():
            assert process.poll() is None, place.output.read_text()
            threading.Event().wait(0.05)
        second = subprocess.run(words, capture_output=True, text=True, check=False)
        assert second.returncode == 2
        for part in ("Another process", f"'{place.run}'", f"process {process.pid} on"):
            assert part in second.stderr
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_fit_that_is_killed_again_and_again_ends_the_same(tmp_path):
    arguments = [
        *("fit", "--data", "digits", "--backbone", "resnet10_small", "--train-examples", "200"),
        *("--batch-size", "16", "--finetune-epochs", "2", "--checkpoint-minutes", "0.003"),
    ]
    whole = killing.Place(tmp_path / "whole")
    killing.finish(whole, killing.command(whole, arguments))
    place = killing.Place(tmp_path / "killed")
    moments = [
        ("while features are cached", 0.0),
        ("as the phases change", 0.7),
        ("while a checkpoint is written", 0.0),
        ("as the weights are final", 0.1),
        ("while the export is made", 1.0),
    ]
    kills = list(killing.chain(place, arguments, moments, seed=0))
    assert sum(killed for *_, killed in kills) >= 4
    assert killing.differences(killing.outcome(whole), killing.outcome(place)) == []
    assert killing.leftovers(place) == []


def test_resume_and_its_refusals_on_the_command_line(tmp_path):
    result = CliRunner().invoke(main, ["fit", "--resume", str(tmp_path)])
    assert result.exit_code == 2
    assert "no 'config.toml'" in result.output


@pytest.fixture
def small_disk(tmp_path):
    """Returns a function that mounts a file system of so many megabytes, or makes it larger."""
    place = tmp_path / "disk"
    place.mkdir()

    def sized(megabytes):
        options = f"size={megabytes}m" + (",remount" if place.is_mount() else "")
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        if subprocess.run(words, capture_output=True, check=False).returncode != 0:
            pytest.skip("file systems may not be mounted here")
        return place

    yield sized
    if place.is_mount():
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [1, 8, 30])
def test_on_a_disk_that_is_full_nothing_is_lost(megabytes, small_disk, tmp_path):
    arguments = [
        *("fit", "--data", "digits", "--backbone", "resnet10_small", "--train-examples", "200"),
        *("--batch-size", "16", "--finetune-epochs", "2"),
    ]
    whole = killing.Place(tmp_path / "whole")
    killing.finish(whole, killing.command(whole, arguments))
    place = killing.Place(small_disk(megabytes) / "place")
    process = killing.begin(place, killing.command(place, arguments))
    assert process.wait() == 1
    said = place.output.read_text()
    assert "Error: Cannot write" in said
    assert "No space left on device" in said
    assert said.endswith(f"\n  tfxfer fit --resume {place.run}\n")
    assert "Traceback" not in said
    small_disk(500)
    killing.finish(place, killing.command(place, arguments))
    assert killing.differences(killing.outcome(whole), killing.outcome(place)) == []
    assert killing.leftovers(place) == []
