"""Whether images are cropped or stretched."""

import dataclasses
import json

import numpy as np
import pytest
from conftest import small_config
from PIL import Image

from tfxfer.api.fit import describe_plan, fit
from tfxfer.config.recipes import read_recipe, to_toml
from tfxfer.config.schema import FitConfig
from tfxfer.errors import DataError
from tfxfer.planning.plan import make_plan
from tfxfer.ranking.decisions.framing import Framing, framing_of, noted, recorded_fit
from tfxfer.ranking.images import Pool
from tfxfer.system.isolation import isolated
from tfxfer.system.run_layout import FRAMING, RunDirectory


def strips(folder, told_by, width=96):
    """Writes images of two classes, which a bright square tells apart, and returns the folder.

    Args:
        folder: Where.
        told_by: "ends" puts it at the left or the right end, "middle" above or below the middle.
        width: Of the images, which are 32 pixels high.
    """
    generator = np.random.default_rng(0)
    for label, name in enumerate("ab"):
        (folder / name).mkdir(parents=True)
        for number in range(20):
            pixels = generator.integers(0, 60, (32, width, 3), np.uint8)
            if told_by == "ends":
                pixels[8:24, -16 if label else 0 :][:, :16] = 250
            else:
                pixels[16 * label :][:16, width // 2 - 8 : width // 2 + 8] = 250
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def asked(tmp_path):
    def settings(told_by, width=96, **settings):
        data = strips(tmp_path / "strips", told_by, width)
        config = small_config(data, "none", tmp_path, cache_dir=str(tmp_path / "cache"))
        own = {"head": {"epochs": 3}, "finetune": {"epochs": 1}}
        config = dataclasses.replace(config, backbone="resnet10_small", weights=None)
        return config.with_settings({**own, **settings})

    return settings


def framing(config):
    """Returns the decision, and what was said."""
    lines = []
    found = isolated(framing_of)(make_plan(config), config, lines.append)
    return found, "\n".join(lines)


@pytest.mark.parametrize(("told_by", "chosen"), [("ends", "stretch"), ("middle", "crop")])
def test_what_tells_the_classes_apart_decides(asked, told_by, chosen):
    config = asked(told_by)
    assert "a crop would keep 33% of an image on average" in describe_plan(config)
    found, said = framing(config)
    assert found.fit == chosen
    assert found.kept == pytest.approx(1 / 3)
    assert (found.losses["stretch"] < found.losses["crop"]) == (chosen == "stretch")
    assert found.sentence[1:] in said
    assert Framing.of_json(json.loads(json.dumps(found.as_json()))).fit == chosen


@pytest.mark.parametrize(
    ("width", "settings"),
    [
        (42, {}),  # 4:3
        (96, {"fit_images": "crop"}),
        (96, {"image_size": "32x96"}),
        (96, {"weights": "none"}),
    ],
)
def test_nothing_is_compared_where_a_crop_keeps_enough_or_the_user_has_decided(
    asked, width, settings
):
    config = asked("ends", width, **settings)
    assert framing(config) == (None, "")
    assert "would keep" not in describe_plan(config)


@pytest.mark.slow
def test_noise_stretches_nothing(asked, tmp_path):
    config = asked("ends")
    generator = np.random.default_rng(1)
    for file in (tmp_path / "strips").rglob("*.png"):
        Image.fromarray(generator.integers(0, 255, (32, 96, 3), np.uint8)).save(file)
    assert framing(config)[0].fit == "crop"


@pytest.mark.slow
def test_numbers_are_compared_by_their_own_loss(asked, tmp_path):
    config = asked("ends")
    files = sorted((tmp_path / "strips").rglob("*.png"))
    rows = [
        f"{file},{10 * (file.parent.name == 'a') + number / 100}"
        for number, file in enumerate(files)
    ]
    (tmp_path / "numbers.csv").write_text("\n".join(["path,price", *rows]))
    config = config.with_settings({"data": str(tmp_path / "numbers.csv"), "target": "price"})
    found, said = framing(config)
    assert found.fit == "stretch"
    assert "Huber loss of a cross-validated head" in said
    assert found.as_json()["loss"] == "Huber loss"


def test_only_training_and_validation_images_of_the_plan_are_looked_at(asked):
    config = asked("ends", train_examples=12, test_fraction=0.3)
    plan, seen = make_plan(config), []
    pool = Pool(config, 3, plan.source)
    for name, split in pool.source.splits.items():
        seen += [split.describe(number) for number in range(len(split))]
        assert len(split) == len(plan.source.splits[name])
    test = plan.source.splits["test"]
    assert not {test.describe(number) for number in range(len(test))} & set(seen)


def test_too_few_images_are_cropped(asked, tmp_path):
    config = asked("ends")
    for file in (tmp_path / "strips").rglob("*.png"):
        if int(file.stem) >= 3:
            file.unlink()
    found, said = framing(config)
    assert found is None
    assert "too few images" in said


def test_an_unreadable_image_is_left_to_the_fit_which_names_all(asked, tmp_path):
    config = asked("ends")
    for file in sorted((tmp_path / "strips").rglob("*.png"))[:2]:
        file.write_bytes(file.read_bytes()[:60])
    assert framing(config)[0] is None
    with pytest.raises(DataError, match="Cannot read 2 images"):
        fit(config, say=lambda _: None)


@pytest.mark.slow
def test_a_fit_trains_and_exports_what_was_decided_and_says_why(asked):
    config, lines = asked("ends", run="strips"), []
    result = fit(config, say=lines.append)
    run = RunDirectory(result.run)
    found = Framing.of_json(json.loads(run.decision(FRAMING).read_text()))
    assert found.sentence in "\n".join(lines)
    assert found.sentence in run.report.read_text()
    assert read_recipe(run.config, FitConfig()).fit_images == "stretch"
    facts = json.loads((result.export / "assets" / "tfxfer.json").read_text())
    assert facts["fit_images"] == "stretch"
    assert result.metrics["validation"]["accuracy"] == 1


def test_an_interrupted_run_keeps_its_decision(asked):
    config = asked("middle")
    plan = make_plan(dataclasses.replace(config, fit_images="stretch"))
    named = dataclasses.replace(config, run=plan.run.path.name)
    assert recorded_fit(named) == named
    assert noted(plan) == plan
    found = Framing("stretch", 0.3, {"crop": 0.4, "stretch": 0.2})
    assert found.sentence in noted(plan, found).source.notes
    plan.run.path.mkdir(parents=True)
    plan.run.decision(FRAMING).write_text("{}")
    assert noted(plan) == plan
    plan.run.decision(FRAMING).write_text(json.dumps(found.as_json()))
    plan.run.config.write_text(to_toml(plan.config))
    assert noted(plan).source.notes == noted(plan, found).source.notes
    assert recorded_fit(named).fit_images == "stretch"
    assert recorded_fit(dataclasses.replace(named, fit_images="pad")).fit_images == "pad"
    for one in (named, config):  # of a dry run, without a comparison
        assert found.sentence in describe_plan(one)
