"""A head that reads several stages, from the plan to what a server answers."""

import json

import pytest
from conftest import small_config, trained_alone
from ranked import Passes

from tfxfer.api.convert import convert
from tfxfer.api.evaluate import evaluate
from tfxfer.api.fit import fit
from tfxfer.inference.loading import load

STAGES = "of stages stem, block_1, block_2, block_3, each normalized"
FEATURES = 16 + 32 + 32 + 64


@pytest.fixture(scope="module")
def made(pictures, weights_file, tmp_path_factory):
    """A finished fit, with its comparison, and what it said."""
    folder = tmp_path_factory.mktemp("stages")
    settings = {
        "run": "stages",
        "head": {"epochs": 3, "stages": "all"},
        "finetune": {"epochs": 1, "unfreeze": "block_2"},
        "unknown": True,
        "unknown_rate": 0.4,
        "coverage": 0.6,
        "compare_scratch": True,
        "compare_epochs": 1,
        "cache_dir": str(folder / "cache"),
    }
    config = small_config(pictures, weights_file, folder, **settings)
    lines = []
    return fit(config, say=lines.append), "\n".join(lines), config


@pytest.mark.slow
def test_plan_report_card_and_settings_say_so(made):
    result, said, _ = made
    assert "average pooling of all stages -> dropout 0.2 -> 3 logits (144 features)" in said
    assert STAGES in said
    assert 'stages = "all"' in (result.run / "config.toml").read_text()
    assert 'stages = "all"' in (result.run / "scratch" / "config.toml").read_text()
    assert "average pooling of all stages" in (result.run / "README.md").read_text()
    assert "average pooling of all stages" in (result.run / "report.html").read_text()


@pytest.mark.slow
def test_run_export_litert_and_onnx_give_the_same(made, pictures, tmp_path):
    result, _, _ = made
    files = sorted((pictures / "test").rglob("*.jpg"))
    trained, served = load(result.run), load(result.export)
    expected = trained.predict(files)
    assert served.predict(files) == pytest.approx(expected, abs=1e-5)
    assert evaluate(result.run).accuracy == evaluate(result.export, data=str(pictures)).accuracy
    assert trained.features(files).shape == (len(files), FEATURES)
    for kind, name in (("litert", "model.tflite"), ("onnx", "model.onnx")):
        assert convert(result.run, kind, output=str(tmp_path / name)).agreement == 1.0
    assert json.loads((result.run / "metrics.json").read_text())["comparison"]["verdict"]


@pytest.mark.slow
def test_its_features_are_computed_once(pictures, weights_file, monkeypatch, tmp_path):
    passes = Passes(monkeypatch)
    config = small_config(pictures, weights_file, tmp_path, cache_dir=str(tmp_path / "cache"))
    found = []
    for stages, optimizer in (("all", "lbfgs"), ("all", "adam"), ("2", "lbfgs"), (None, "lbfgs")):
        head = {"epochs": 3, "optimizer": optimizer, "stages": stages}
        trained_alone(config, head=head, finetune={"epochs": 0})
        found.append(passes.since())
    assert found == [42, 0, 42, 42]
