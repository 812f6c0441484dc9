import csv
import dataclasses
import json
import math
import re
import shutil
import tomllib

import keras
import numpy as np
import pytest
from conftest import SMALL_BACKBONE, small_config, trained_alone

from tfxfer.api.evaluate import evaluate
from tfxfer.api.fit import describe_plan, fit
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.data.opening import open_source
from tfxfer.errors import DataError, ExportError, UsageError
from tfxfer.evaluation.calibration import apply_temperature
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.planning.plan import make_plan
from tfxfer.system.run_layout import RunDirectory
from tfxfer.system.signals import Interruptions
from tfxfer.training.frozen.features import FeatureFunction
from tfxfer.training.transfer import train


def short_config(pictures, weights, directory, **settings):
    config = small_config(pictures, weights, directory, head={"epochs": 2})
    return config.with_settings(settings)


def rows_of(run):
    with run.history.open() as file:
        return list(csv.DictReader(file))


def test_a_run_holds_everything_that_explains_and_repeats_it(finished):
    result, _ = finished
    names = {path.name for path in result.run.iterdir()}
    assert names == {
        "README.md",
        "asked.toml",
        "best.weights.h5",
        "classes.txt",
        "config.toml",
        "data_findings.json",
        "evaluation.json",
        "history.csv",
        "metrics.json",
        "mirroring.json",
        "model.keras",
        "model.seen.npz",
        "places.json",
        "predictions.csv",
        "report.html",
        "splits.csv",
        "tensorboard",
    }
    assert (result.run / "classes.txt").read_text() == "blue\ngreen\nred\n"
    assert result.model == result.run / "model.keras"


def test_the_metrics_have_the_form_that_is_promised(finished, pictures):
    result, _ = finished
    metrics = json.loads((result.run / "metrics.json").read_text())
    assert metrics == result.metrics
    for split, count in {"validation": 9, "test": 12}.items():
        assert set(metrics[split]) == {
            "accuracy",
            "balanced_accuracy",
            "loss",
            "num_examples",
            "uneven_classes",
        }
        assert metrics[split]["num_examples"] == count
    assert list(metrics["seconds"]) == [
        "data",
        "images",
        "head",
        "finetune",
        "evaluation",
        "export",
        "report",
        "total",
    ]
    laps = [seconds for name, seconds in metrics["seconds"].items() if name != "total"]
    assert metrics["seconds"]["total"] == pytest.approx(sum(laps), abs=0.2)
    assert metrics["num_classes"] == 3
    assert set(metrics["calibration"]) == {"temperature", "validation", "test", "applied"}
    assert metrics["calibration"]["applied"] is False
    assert metrics["data"]["name"] == pictures.name
    assert re.fullmatch(r"[0-9a-f]{64}", metrics["data"]["fingerprint"])
    backbone = BACKBONES[SMALL_BACKBONE]
    head = backbone.num_features * 3 + 3
    assert metrics["parameters"]["total"] == backbone.num_parameters + head
    assert metrics["export"] == str(result.export)
    assert result.export.name == "1"


def test_the_history_has_a_row_for_each_epoch_of_both_phases(finished):
    result, _ = finished
    rows = rows_of(RunDirectory(result.run))
    *head, first, second = [(row["phase"], int(row["epoch"])) for row in rows]
    assert 1 <= len(head) <= 3  # at most so many passes
    assert head == [("head", number) for number in range(1, len(head) + 1)]
    assert (first, second) == (("finetune", 1), ("finetune", 2))


def test_the_model_that_is_kept_is_that_of_the_best_epoch(finished):
    result, _ = finished
    rows = rows_of(RunDirectory(result.run))
    # Of the head's passes the weights of the last are there to be kept.
    last = max(index for index, row in enumerate(rows) if row["phase"] == "head")
    best = max(
        (float(row["validation_accuracy"]), -float(row["validation_loss"])) for row in rows[last:]
    )
    assert result.metrics["validation"]["accuracy"] == pytest.approx(best[0])
    assert result.metrics["validation"]["loss"] == pytest.approx(-best[1], abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "unfreeze"), [("lbfgs", "none"), ("adam", "block_3")])
def test_what_chooses_in_mixed_precision_is_what_is_saved_in_float32(
    pictures, weights_file, tmp_path, optimizer, unfreeze
):
    left = trained_alone(
        short_config(pictures, weights_file, tmp_path, precision="mixed_bfloat16"),
        head={"optimizer": optimizer},
        finetune={"unfreeze": unfreeze, "epochs": 2, "learning_rate": 1e-3},
    )
    rows = rows_of(left.plan.run)
    best = dataclasses.asdict(left.metrics.best)
    (kept,) = (row for row in rows if (row["phase"], int(row["epoch"])) == tuple(best.values()))
    images = left.images["validation"]
    squares = np.concatenate(list(images.streamed().batch(9).as_numpy_iterator()))
    saved = keras.models.load_model(left.plan.run.model).predict(
        squares.astype("float32"), verbose=0
    )
    right = saved[np.arange(9), images.labels]
    assert float(kept["validation_loss"]) == pytest.approx(-np.log(right).mean(), abs=1e-5)


def test_the_plan_comes_first_and_the_next_commands_last(finished):
    result, lines = finished
    assert lines[0].startswith("data ")
    assert "3 classes: blue, green, red" in lines[0]
    assert "L2 penalty" in lines[1]
    assert lines[2].startswith("head ")
    assert f"tfxfer predict {result.run} IMAGE..." in lines[-1]
    assert f"test accuracy {result.metrics['test']['accuracy']:.4f}" in lines[-2]


def test_the_asked_settings_are_kept_as_a_recipe(finished, pictures):
    result, _ = finished
    settings = tomllib.loads((result.run / "asked.toml").read_text())
    assert settings["data"] == str(pictures)
    assert settings["head"] == {"epochs": 3}
    assert "seed" not in settings  # it has its default
    assert "learning_rate" not in settings["finetune"]  # it was left open


def test_the_written_settings_are_decided_and_plan_the_same_again(finished, tmp_path):
    result, lines = finished
    config = read_recipe(result.run / "config.toml", FitConfig())
    assert (config.batch_size, config.input_size, config.precision) == (8, 32, "float32")
    assert (config.head.optimizer, config.head.epochs) == ("lbfgs", 3)
    assert config.finetune.learning_rate is not None
    again = config.with_settings({"run": "again", "runs_dir": str(tmp_path)})
    plan, first = describe_plan(again).splitlines(), lines[0].splitlines()
    assert plan[:-2] == first[: len(plan) - 2]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_run(pictures, weights_file, tmp_path):
    settings = {"finetune": {"epochs": 1}, "augment": {"rotation": 30}}
    settings["head"] = {"optimizer": "adam", "epochs": 2}  # L-BFGS has no use for a seed
    config = short_config(pictures, weights_file, tmp_path, **settings)
    runs = [
        trained_alone(config, run=run, seed=seed).plan.run
        for run, seed in (("a", 5), ("b", 5), ("c", 6))
    ]
    weights = [keras.models.load_model(run.model).get_weights() for run in runs]
    same = [np.array_equal(a, b) for a, b in zip(weights[0], weights[1], strict=True)]
    other = [np.array_equal(a, c) for a, c in zip(weights[0], weights[2], strict=True)]
    assert all(same)
    assert not all(other)


@pytest.mark.slow
def test_training_on_kept_activations_is_training_on_images(pictures, weights_file, tmp_path):
    settings = {
        "head": {"epochs": 0, "dropout": 0.0},
        "finetune": {"unfreeze": "block_3", "epochs": 2, "learning_rate": 1e-3},
        "augment": {"flip": False, "shift": 0.0, "zoom": 0.0, "rotation": 0.0},
        "cache_gigabytes": 0.0,
    }
    settings["finetune"] |= {"batch_norm": "frozen", "optimizer": "sgd"}
    config = short_config(pictures, weights_file, tmp_path, **settings)
    kept, streamed = (
        trained_alone(config, run=str(memory), memory_gigabytes=memory).metrics
        for memory in (2.0, 0.0)
    )
    for name in ("validation", "test"):
        losses = [metrics.splits[name].loss for metrics in (kept, streamed)]
        assert losses[0] == pytest.approx(losses[1], abs=1e-3)


@pytest.mark.slow
def test_a_head_whose_features_do_not_fit_learns_from_images(pictures, weights_file, tmp_path):
    settings = {"head": {"epochs": 8}, "finetune": {"unfreeze": "none"}, "memory_gigabytes": 1e-6}
    left = trained_alone(short_config(pictures, weights_file, tmp_path, **settings))
    losses = [float(row["train_loss"]) for row in rows_of(left.plan.run)]
    assert len(losses) == 8
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.slow
def test_a_second_fit_finds_the_features_of_the_first(
    pictures, weights_file, tmp_path, monkeypatch
):
    """Another head, rate or seed asks for the same features; a changed file for one more."""
    folder = shutil.copytree(pictures, tmp_path / "data")
    computed = []
    compute = FeatureFunction._compute

    def counted(self, images, wanted, *arguments):
        computed.append(len(wanted))
        return compute(self, images, wanted, *arguments)

    monkeypatch.setattr(FeatureFunction, "_compute", counted)
    config = short_config(
        *(folder, weights_file, tmp_path),
        cache_dir=str(tmp_path / "cache"),
        finetune={"unfreeze": "none"},
    )
    first = trained_alone(config).metrics
    assert computed == [21, 9, 12]
    again = trained_alone(config, seed=5).metrics
    assert computed == [21, 9, 12]
    assert again.splits["test"].loss == pytest.approx(first.splits["test"].loss, abs=1e-6)
    trained_alone(config, head={"optimizer": "adam", "hidden_units": [8]})
    assert computed == [21, 9, 12]
    trained_alone(config, precision="mixed_bfloat16")  # features are float32's always
    assert computed == [21, 9, 12]
    changed = folder / "train" / "red" / "3.jpg"
    changed.write_bytes((folder / "train" / "red" / "4.jpg").read_bytes() + b"\0")
    trained_alone(config)
    assert computed == [21, 9, 12, 1]
    for entry in (tmp_path / "cache" / "features").iterdir():
        (rows,) = entry.glob("rows-*.npy")
        rows.write_bytes(rows.read_bytes()[:-100])
    healed = trained_alone(config).metrics
    assert computed == [21, 9, 12, 1, 21, 9, 12]
    assert math.isfinite(healed.splits["test"].loss)


def test_the_head_that_is_kept_and_where_finetuning_begins_are_said(finished):
    result, lines = finished
    solved = [line for line in lines if line.startswith("head      L2=")]
    assert len(solved) >= 3
    best = [line for line in solved if "  best  " in line]
    assert f"  L2={result.metrics['penalty']:g} " in best[-1]
    rows = [row for row in rows_of(RunDirectory(result.run)) if row["phase"] == "head"]
    kept = [line for line in solved if f"  L2={result.metrics['penalty']:g} " in line][-1]
    assert f" {len(rows)} iteration" in kept  # as many as the history has
    assert f"val_loss {float(rows[-1]['validation_loss']):6.4f}" in kept
    start = result.metrics.get("start_penalty")
    told = [line for line in lines if line.startswith("finetune: starts from")]
    assert [f"L2={start:g}," in line for line in told] == [True] * (start is not None)


def test_features_that_do_not_fit_cannot_be_solved(pictures, weights_file, tmp_path):
    settings = {"head": {"optimizer": "lbfgs"}, "memory_gigabytes": 1e-6}
    with pytest.raises(UsageError, match="'lbfgs'.*--memory-gigabytes"):
        fit(short_config(pictures, weights_file, tmp_path, **settings), say=lambda _: None)


def test_a_single_penalty_can_be_set(pictures, weights_file, tmp_path):
    lines = []
    settings = {"head": {"penalty": 0.5}, "finetune": {"unfreeze": "none"}}
    config = short_config(pictures, weights_file, tmp_path, **settings)
    assert trained_alone(config, lines.append).metrics.penalty == 0.5
    assert sum(line.startswith("head      L2=0.5 ") for line in lines) == 1


def test_settings_by_name_win_over_the_record(pictures, weights_file, tmp_path):
    config = short_config(pictures, weights_file, tmp_path, run="a")
    with pytest.raises(UsageError, match="Unknown backbone 'resnet5'"):
        fit(config, backbone="resnet5")


def test_a_dry_run_writes_nothing_and_counts_the_parameters(pictures, weights_file, tmp_path):
    config = short_config(
        pictures, weights_file, tmp_path, head={"epochs": 2}, finetune={"batch_norm": "frozen"}
    )
    text = describe_plan(config)
    backbone = BACKBONES[SMALL_BACKBONE]
    head = backbone.num_features * 3 + 3
    assert f"{head:,} trainable parameters, {backbone.num_parameters:,} frozen" in text
    assert "21 train, 9 validation, 12 test images" in text
    assert "BatchNorm frozen" in text
    assert str(tmp_path / "saved_models" / f"{pictures.name}-{SMALL_BACKBONE}" / "1") in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data": ""}, "Missing setting 'data'"),
        ({"backbone": "resnet5"}, r"backbone 'resnet5'.*'resnet50'\?"),
        (
            {"finetune": {"unfreeze": "conv5"}},
            "'conv5'.*'small'.* all, none, stem, block_1",
        ),
        ({"image_size": 16}, "'image_size' is 16.*'small'.*at least"),
        ({"run": "a/b"}, "Setting 'run' is 'a/b'"),
        ({"runs_dir": "/dev/null/runs"}, "Cannot write to '/dev/null/runs'"),
        ({"export_dir": "/dev/null/x"}, "Cannot write to '/dev/null/x': .* another --export-dir"),
        ({"cache_dir": "/dev/null/x"}, "Cannot write to '/dev/null/x': .* another --cache-dir"),
    ],
)
def test_invalid_settings_are_refused_before_any_work(
    pictures, weights_file, tmp_path, settings, message
):
    config = short_config(pictures, weights_file, tmp_path)
    with pytest.raises(UsageError, match=message):
        fit(config, say=lambda _: None, **settings)
    assert not list(tmp_path.glob("runs/*"))


def write_two_pictures(pictures, folder):
    """Writes two classes of two pictures, whose counts alone say what is best.

    Of 15 common examples 6 are the red picture, of 5 rare ones 4. The likeliest class is common
    for both pictures, 9 to 1 and 6 to 4. Were both classes as frequent, the red picture would be
    rare: 6 of 15 are less than 4 of 5.
    """
    for split in ("train", "validation", "test"):
        for name, counts in {"common": (9, 6), "rare": (1, 4)}.items():
            (folder / split / name).mkdir(parents=True)
            for color, count in zip(("blue", "red"), counts, strict=True):
                content = of_a_split((pictures / "train" / color / "0.jpg").read_bytes(), split)
                for number in range(count):
                    (folder / split / name / f"{color}{number}.jpg").write_bytes(content)
    return folder


def of_a_split(jpeg: bytes, split: str) -> bytes:
    """Returns the same picture in another file: an image is in one split alone, by its content."""
    return jpeg + split.encode()  # what stands behind the end of a JPEG is not looked at


SOLVED = {"head": {"optimizer": "lbfgs", "epochs": 50}, "finetune": {"epochs": 0}}
STEPS = {"epochs": 15, "optimizer": "adam", "learning_rate": 0.05, "weight_decay": 0.0}
ON_FEATURES = {"head": STEPS, "finetune": {"epochs": 0}}
TUNED = {
    "head": {"epochs": 0, "dropout": 0.0},
    "finetune": STEPS | {"learning_rate": 3e-3, "unfreeze": "block_3", "batch_norm": "frozen"},
    "augment": {"flip": False, "shift": 0.0, "zoom": 0.0, "rotation": 0.0},
}
WAYS = {
    "lbfgs": SOLVED,
    "lbfgs with views": SOLVED | {"head": SOLVED["head"] | {"augmented_views": 1}},
    "adam on features": ON_FEATURES,
    "adam on images": ON_FEATURES | {"memory_gigabytes": 1e-6},
    "finetuned": TUNED,
    "finetuned on changed images": TUNED | {"augment": TUNED["augment"] | {"shift": 0.05}},
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_balanced_weights_raise_the_recall_of_the_rare_class(pictures, weights_file, tmp_path, way):
    folder = write_two_pictures(pictures, tmp_path / "data")
    config = small_config(folder, weights_file, tmp_path, **WAYS[way])
    plain = trained_alone(config).metrics.splits["test"]
    # All are predicted as common.
    assert (plain.accuracy, plain.balanced_accuracy) == (0.75, 0.5)
    balanced = trained_alone(config.with_settings({"class_weights": "balanced"}))
    # 9 of 15 and 4 of 5 are right.
    recalls = pytest.approx((9 / 15 + 4 / 5) / 2)
    assert balanced.metrics.splits["test"].accuracy == pytest.approx(13 / 20)
    assert balanced.metrics.splits["test"].balanced_accuracy == recalls
    # What chooses counts both classes the same: its accuracy is the balanced one.
    assert balanced.journal.history.best.validation_accuracy == recalls


@pytest.mark.slow
def test_validation_that_chooses_is_balanced_as_training_is(pictures, weights_file, tmp_path):
    folder = write_two_pictures(pictures, tmp_path / "data")
    config = small_config(folder, weights_file, tmp_path, class_weights="balanced", **SOLVED)
    trained = trained_alone(config)
    best = trained.journal.history.best
    # Both splits have the same pictures, and so the same numbers.
    assert best.validation_accuracy == pytest.approx(best.train_accuracy)
    assert best.validation_loss == pytest.approx(best.train_loss)
    assert trained.metrics.splits["validation"].balanced_accuracy == pytest.approx(0.7)
    # The balanced loss is least at the frequencies that both classes have within each picture.
    red, blue = (4 / 5) / (4 / 5 + 6 / 15), (1 / 5) / (1 / 5 + 9 / 15)
    least = -(4 / 5 * math.log(red) + 6 / 15 * math.log(1 - red)) / 2
    least -= (1 / 5 * math.log(blue) + 9 / 15 * math.log(1 - blue)) / 2
    assert best.validation_loss == pytest.approx(least, abs=1e-3)


def test_weights_that_the_data_give_are_those_of_training_and_not_of_validation(
    pictures, weights_file, tmp_path
):
    folder = write_two_pictures(pictures, tmp_path / "data")
    config = small_config(folder, weights_file, tmp_path, **SOLVED)
    plan = make_plan(config)
    # As much weight for each class as balanced ones would give, and nonsense for validation.
    splits = dict(plan.source.splits)
    for name, weights in {"train": np.array([1, 3]), "validation": np.array([0, 1])}.items():
        given = np.float32(weights[splits[name].labels])
        splits[name] = dataclasses.replace(splits[name], weights=given)
    plan = dataclasses.replace(plan, source=dataclasses.replace(plan.source, splits=splits))
    with Interruptions() as interruptions:
        trained = train(plan, interruptions, say=lambda _: None)
    best = trained.journal.history.best
    assert best.train_accuracy == pytest.approx(0.7)
    assert best.validation_accuracy == trained.metrics.splits["validation"].accuracy == 0.65


def test_a_model_that_is_not_accurate_enough_is_trained_but_not_exported(
    pictures, weights_file, tmp_path
):
    # The same picture under two names: half of the answers are wrong.
    picture = next((pictures / "train").rglob("*.jpg")).read_bytes()
    for split in ("train", "validation", "test"):
        for name in ("one", "other"):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for number in range(3):
                path = tmp_path / "data" / split / name / f"{number}.jpg"
                path.write_bytes(of_a_split(picture, split))
    settings = {"finetune": {"epochs": 0}, "min_accuracy": 0.6, "run": "poor"}
    config = small_config(tmp_path / "data", weights_file, tmp_path, **settings)
    with pytest.raises(ExportError, match=r"poor/model.keras'.* test .*0\.5000.* 0\.6"):
        fit(config, say=lambda _: None)
    run = tmp_path / "runs" / "poor"
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] == 0.5
    assert "export" not in metrics
    assert (run / "model.keras").is_file()
    assert not (tmp_path / "saved_models").exists()


def test_an_unreadable_image_is_named_and_nothing_is_exported(pictures, weights_file, tmp_path):
    folder = shutil.copytree(pictures, tmp_path / "data")
    broken = folder / "train" / "red" / "3.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(DataError, match=r"Cannot read 1 image; [^\n]*\n.*red/3\.jpg"):
        fit(short_config(folder, weights_file, tmp_path), say=lambda _: None)
    assert not list((tmp_path / "saved_models").glob("*"))


@pytest.mark.slow
def test_early_stopping_ends_the_finetune_phase(pictures, weights_file, tmp_path):
    settings = {"finetune": {"epochs": 6, "patience": 1, "learning_rate": 1e-12}}
    lines = []
    left = trained_alone(short_config(pictures, weights_file, tmp_path, **settings), lines.append)
    assert len(rows_of(left.plan.run)) < 2 + 6
    assert any(re.search("finetune: early stopping.* 1 epoch", line) for line in lines)


def test_validation_and_test_examples_can_be_limited(pictures, weights_file, tmp_path):
    config = short_config(
        pictures, weights_file, tmp_path, train_examples=12, validation_examples=3, test_examples=6
    )
    source = open_source(config)
    assert [len(split) for split in source.splits.values()] == [12, 3, 6]
    steps = math.ceil(12 / config.batch_size)
    assert steps == 2


@pytest.fixture(scope="module")
def compared(pictures, weights_file, tmp_path_factory):
    """A fit that was compared with random weights on nine of the pictures, and what it said."""
    settings = {"head": {"epochs": 2}, "finetune": {"epochs": 1}, "run": "colors"}
    settings |= {"compare_scratch": True, "compare_examples": 9}
    lines = []
    directory = tmp_path_factory.mktemp("compared")
    result = fit(short_config(pictures, weights_file, directory, **settings), say=lines.append)
    return result, "\n".join(lines)


@pytest.mark.slow
def test_a_comparison_trains_both_on_the_same_images_in_the_same_budget(compared):
    result, _ = compared
    comparison = result.metrics["comparison"]
    assert json.loads((result.run / "metrics.json").read_text()) == result.metrics
    assert (comparison["num_train"], comparison["epochs"], comparison["split"]) == (9, 2, "test")
    for name, weights in {"scratch": "none", "transfer": None}.items():
        config = read_recipe(result.run / name / "config.toml", FitConfig())
        assert config.train_examples == 9
        assert weights is None or config.weights == weights
        metrics = json.loads((result.run / name / "metrics.json").read_text())
        side = "pretrained" if name == "transfer" else name
        assert comparison[side] == metrics["test"]
        assert (result.run / name / "model.keras").is_file()
    scratch = rows_of(RunDirectory(result.run / "scratch"))
    assert [row["phase"] for row in scratch] == ["finetune"] * 2
    assert list(result.export.parent.iterdir()) == [result.export]  # the whole data's, and no other


@pytest.mark.slow
def test_a_comparison_is_planned_and_answered_in_words(compared):
    result, said = compared
    assert re.search(r"\ncomparison .*\b9\b", said)
    assert re.search(r"pretraining helped.*\b9 training images.*test.*\b12 images", said)
    scratch = result.metrics["comparison"]["scratch"]["accuracy"]
    assert re.search(rf"from scratch +{scratch:.4f}.* 2 epochs", said)
    assert re.search(r"Pretraining (helped|hurt|made no significant difference): .* points", said)
    assert (
        said.index("\nbest weights ") < said.index("comparison: pretrained") < said.index("Next:")
    )


@pytest.mark.slow
def test_a_comparison_on_all_images_takes_the_fit_itself(pictures, weights_file, tmp_path):
    settings = {"finetune": {"epochs": 0}, "compare_scratch": True}
    result = fit(short_config(pictures, weights_file, tmp_path, **settings), say=lambda _: None)
    assert not (result.run / "transfer").exists()
    assert result.metrics["comparison"]["pretrained"] == result.metrics["test"]
    assert result.metrics["comparison"]["num_train"] == 21


@pytest.mark.slow
def test_a_calibrated_fit_leaves_the_calibrated_model_everywhere(pictures, tmp_path):
    # From random weights it is not right about all of validation.
    config = small_config(pictures, "none", tmp_path, finetune={"epochs": 2})
    plain = fit(config, run="plain", say=lambda _: None)
    lines = []
    result = fit(config, run="calibrated", calibrate=True, say=lines.append)
    found = result.metrics["calibration"]
    assert found == plain.metrics["calibration"] | {"applied": True}
    for split in ("validation", "test"):
        assert result.metrics[split]["accuracy"] == plain.metrics[split]["accuracy"]
    assert result.metrics["validation"]["loss"] < plain.metrics["validation"]["loss"]
    assert "temperature" in lines[-2]
    run, served = evaluate(result.run), evaluate(result.export, data=str(pictures))
    assert run.loss == pytest.approx(result.metrics["test"]["loss"], abs=1e-5)
    assert served.probabilities == pytest.approx(run.probabilities, abs=1e-6)
    expected = apply_temperature(evaluate(plain.run).probabilities, found["temperature"])
    assert run.probabilities == pytest.approx(expected, abs=1e-5)


class Follower(keras.callbacks.Callback):
    """Records what a user callback receives."""

    def __init__(self):
        super().__init__()
        self.epochs, self.phases = [], 0

    def on_train_begin(self, logs=None):
        self.phases += 1

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append((epoch, dict(logs)))


@pytest.mark.slow
def test_user_callbacks_receive_what_the_history_has(pictures, weights_file, tmp_path):
    config = short_config(pictures, weights_file, tmp_path, head={"optimizer": "adam"})
    follower = Follower()
    result = fit(config, finetune={"epochs": 1}, callbacks=[follower], say=lambda _: None)
    rows = rows_of(RunDirectory(result.run))
    assert follower.phases == 2
    assert [epoch for epoch, _ in follower.epochs] == [0, 1, 0]
    names = {
        "loss": "train_loss",
        "accuracy": "train_accuracy",
        "val_loss": "validation_loss",
        "val_accuracy": "validation_accuracy",
        "learning_rate": "learning_rate",
    }
    for row, (_, logs) in zip(rows, follower.epochs, strict=True):
        for told, written in names.items():
            assert logs[told] == pytest.approx(float(row[written]))


def test_metrics_tell_which_epoch_was_kept(finished):
    result, _ = finished
    best = result.metrics["best"]
    (row,) = [
        row
        for row in rows_of(RunDirectory(result.run))
        if (row["phase"], int(row["epoch"])) == (best["phase"], best["epoch"])
    ]
    found = result.metrics["validation"]["accuracy"]
    assert float(row["validation_accuracy"]) == pytest.approx(found)


def test_a_finished_run_that_was_never_exported_says_how_to(finished, tmp_path):
    result, _ = finished
    run = shutil.copytree(result.run, tmp_path / "run")
    metrics = json.loads((run / "metrics.json").read_text())
    del metrics["export"]
    (run / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(UsageError, match=r"never exported.*`tfxfer export .*run`"):
        fit(resume=run, say=lambda _: None)
