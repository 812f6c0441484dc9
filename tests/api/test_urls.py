"""Verbs on data at URLs give what they give on the same data on the disk."""

import fsspec
import pytest
from conftest import scene_file, small_config, trained_alone
from stores import stored

import tfxfer
from tfxfer.api.predict import predict_shards
from tfxfer.config.schema import FitConfig
from tfxfer.errors import UsageError
from tfxfer.runs.places import absolute, missing_data, settings_from_here
from tfxfer.system.run_layout import RunDirectory


@pytest.fixture(scope="module")
def url(pictures):
    return stored(pictures, "verbs/pictures")


def test_predictions_are_those_of_the_files_on_the_disk(finished, pictures, url):
    run, wrong = finished[0].run, f"{url}/test/none.jpg"
    here = list(tfxfer.predict(run, [pictures / "test"]))
    there = list(tfxfer.predict(run, [f"{url}/test"], listed=[wrong], batch_size=5))
    assert [one.path for one in there[:-1]] == [
        str(one.path).replace(str(pictures), url) for one in here
    ]
    for one, other in zip(there, here):
        assert one.ranked[0][0] == other.ranked[0][0]
        assert one.ranked[0][1] == pytest.approx(other.ranked[0][1], abs=1e-6)
    assert (there[-1].path, there[-1].error) == (wrong, "there is no such file")


def test_shards_name_urls(finished, url, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    shards = predict_shards(finished[0].run, [f"{url}/test/*/0.jpg"], tmp_path / "out")
    rows = parquet.read_table(shards.path(0)).to_pylist()
    assert [row["path"] for row in rows] == [
        f"memory:///verbs/pictures/test/{name}/0.jpg" for name in ("blue", "green", "red")
    ]
    with pytest.raises(UsageError, match="cannot be written to 's3://bucket/out', a URL"):
        predict_shards(finished[0].run, [f"{url}/test"], "s3://bucket/out")


@pytest.mark.slow
def test_evaluation_and_check_are_those_of_the_files_on_the_disk(finished, url):
    run = finished[0].run
    assert tfxfer.evaluate(run, data=url).accuracy == finished[0].metrics["test"]["accuracy"]
    assert tfxfer.check(url).class_names == ("blue", "green", "red")


@pytest.mark.slow
def test_a_run_on_a_url_is_evaluated_on_it_and_notices_that_it_changed(
    pictures, weights_file, tmp_path
):
    data = stored(pictures, "changing/pictures")
    config = small_config(data, weights_file, tmp_path, run="a", finetune={"epochs": 0})
    run = trained_alone(config).plan.run
    found = tfxfer.evaluate(run.path)
    assert len(found.labels) == 12
    assert not missing_data(run, config)
    path = "/changing/pictures/test/red/0.jpg"
    fsspec.filesystem("memory").pipe(path, scene_file(1))
    assert len(tfxfer.evaluate(run.path).labels) == 12
    fsspec.filesystem("memory").rm(path)
    with pytest.raises(tfxfer.TfxferError, match="not in 'memory://changing/pictures'"):
        tfxfer.evaluate(run.path)


def test_urls_are_no_relative_paths(tmp_path):
    config = FitConfig(data="s3://bucket/photos", runs_dir=str(tmp_path))
    assert absolute(config).data == config.data
    assert settings_from_here(RunDirectory(tmp_path / "a"), config).data == config.data


@pytest.mark.parametrize("name", ["runs_dir", "export_dir", "cache_dir"])
def test_results_are_not_written_to_urls(name, weights_file, pictures):
    option = name.replace("_", "-")
    config = FitConfig(data=str(pictures), backbone="small", weights=str(weights_file))
    with pytest.raises(UsageError, match=rf"'s3://bucket/a': it is a URL.*--{option}"):
        tfxfer.fit(config, **{name: "s3://bucket/a"})
