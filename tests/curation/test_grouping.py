"""`fit --group-near-copies`: near copies stay in one split, also where the model is used later."""

import io

import pytest
from conftest import scene, small_config

from tfxfer.api.evaluate import evaluate
from tfxfer.api.fit import fit
from tfxfer.curation.grouping import near_copies_to_group
from tfxfer.data.opening import open_as_it_is, open_source
from tfxfer.errors import UsageError
from tfxfer.planning.plan import make_plan


@pytest.fixture(scope="module")
def exposures(tmp_path_factory):
    """Twenty-four scenes in two classes, each under three exposures, in one folder per class."""
    folder = tmp_path_factory.mktemp("data") / "tiles"
    for number in range(24):
        image = scene(number, (64, 64))
        path = folder / ("crack", "free")[number % 2]
        path.mkdir(parents=True, exist_ok=True)
        for exposure, factor in enumerate((0.8, 1.0, 1.15)):
            brighter = image.point(lambda value, factor=factor: min(255, int(value * factor)))
            content = io.BytesIO()
            brighter.save(content, "PNG")
            (path / f"{number}_{exposure}.png").write_bytes(content.getvalue())
    return folder


def scenes_of(splits):
    """Returns the scenes of each split."""
    return {
        name: {split.describe(n).split("/")[-1].split("_")[0] for n in range(len(split))}
        for name, split in splits.items()
    }


def test_it_is_off_by_default(exposures, weights_file, tmp_path):
    config = small_config(exposures, weights_file, tmp_path)
    assert near_copies_to_group(config) is None


@pytest.mark.slow
def test_the_exposures_of_a_scene_are_in_one_split(exposures, weights_file, tmp_path):
    config = small_config(exposures, weights_file, tmp_path, group_near_copies=True)
    near = near_copies_to_group(config)
    scenes = scenes_of(open_source(config, near).splits)
    assert sum(map(len, scenes.values())) == 24
    assert sum(map(len, scenes_of(open_source(config).splits).values())) > 24
    plan = make_plan(config, near)
    said = plan.describe(plan.build_classifier("none"))
    assert "near copies     24 groups of 72 images" in said
    plan = make_plan(config)
    said = plan.describe(plan.build_classifier("none"))
    assert "near copies     found before training" in said


def test_it_is_checked_before_any_work(exposures, tmp_path):
    config = small_config(exposures, "none", tmp_path, group_near_copies=True)
    with pytest.raises(UsageError, match="'group_near_copies' .* random weights"):
        near_copies_to_group(config)


@pytest.mark.slow
def test_a_model_is_evaluated_on_the_splits_of_its_run(exposures, weights_file, tmp_path):
    config = small_config(
        exposures, weights_file, tmp_path, group_near_copies=True, finetune={"epochs": 0}
    )
    result = fit(config, say=lambda _: None)
    again = evaluate(result.run, split="test")
    assert again.num_examples == result.metrics["test"]["num_examples"]
    assert again.accuracy == pytest.approx(result.metrics["test"]["accuracy"])
    # The record of the splits is a manifest that keeps them together, too.
    manifest = open_as_it_is(str(result.run / "splits.csv"))
    assert sum(map(len, scenes_of(manifest.splits).values())) == 24
    exported = evaluate(result.export, data=str(exposures), split="test")
    assert exported.accuracy == pytest.approx(result.metrics["test"]["accuracy"])
