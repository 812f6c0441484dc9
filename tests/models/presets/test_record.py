"""The record of a backbone from a preset; nothing of this needs KerasHub."""

import pytest
from messages import parts
from presets import written_preset

from tfxfer.errors import UsageError, WeightsError
from tfxfer.models.backbones.registry import find_backbone, local_weights
from tfxfer.models.presets.record import is_preset, preset_backbone
from tfxfer.models.weights import load_backbone


def record(folder, **changes):
    return preset_backbone(f"kerashub:{written_preset(folder / 'net', **changes)}")


def refused(folder, expected, **changes):
    with pytest.raises(UsageError, match=parts(expected)):
        record(folder, **changes)


def test_a_directory_makes_a_record(tmp_path, monkeypatch):
    found = record(tmp_path)
    assert found.name == f"kerashub:{tmp_path / 'net'}"
    assert found.file_name == "kerashub-net"
    assert (found.native_size, found.min_size) == (64, 32)
    assert (found.num_features, found.num_parameters) == (24, 100_000)
    assert found.stage_names == ("stem", "stack0", "stack1", "stack2", "stack3")
    assert not found.bundled
    assert found.weights_name == "preset"
    assert "unknown" in found.license
    assert hash(found) == hash(record(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert preset_backbone("KerasHub:net") == preset_backbone("kerashub:./net") == found
    assert find_backbone(found.name) == found


def test_the_license_is_the_one_that_the_card_says(tmp_path):
    written_preset(tmp_path / "net")
    (tmp_path / "net" / "README.md").write_text("---\nlicense: mit\n---\n")
    assert record(tmp_path).license == "mit (says its README.md)"


def test_names_that_begin_with_kerashub_are_presets():
    assert is_preset("kerashub:x")
    assert is_preset("KerasHub:x")
    assert not is_preset("resnet50")


@pytest.mark.parametrize(
    "name", ["kerashub:", "kerashub:./nowhere", "kerashub:a/b", "kerashub:~/q7"]
)
def test_a_directory_that_is_missing_is_named(name, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UsageError, match="There is no directory"):
        find_backbone(name)


def test_a_directory_that_is_no_preset_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"is not a preset.*no 'config.json'"):
        preset_backbone(f"kerashub:{tmp_path}")


@pytest.mark.parametrize(
    "class_name", ["Lambda", "BertBackbone", "Functional", "../evil", None, 3, ["ResNetBackbone"]]
)
def test_other_classes_are_refused_by_name(tmp_path, class_name):
    import json

    folder = written_preset(tmp_path / "net")
    path = folder / "config.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"class_name": class_name}))
    with pytest.raises(UsageError, match=parts(f"{class_name!r} ... ResNetBackbone")):
        preset_backbone(f"kerashub:{folder}")


def test_settings_are_checked(tmp_path):
    refused(tmp_path, "for 'block_type'; it must be basic_block", config={"block_type": "evil"})
    refused(tmp_path, "unknown setting 'function'", config={"function": "os.system"})
    refused(tmp_path, "no possible network", config={"stackwise_num_blocks": [1]})


def test_more_parameters_than_the_files_say_are_refused_before_anything_is_built(tmp_path):
    huge = {"stackwise_num_filters": [8192] * 4, "stackwise_num_blocks": [256] * 4}
    refused(tmp_path, "says 100,000 ... at least 618,", config=huge)
    count = {"parameter_count": 10**12}
    (tmp_path / "net" / "model.weights.h5").write_bytes(b"x" * 1000)
    refused(tmp_path, "too small for the 1,000,000,000,000", config=huge, metadata=count)


@pytest.mark.parametrize("count", [None, 0, -1, "9", True, 1e9])
def test_the_number_of_parameters_is_said(tmp_path, count):
    refused(tmp_path, "'parameter_count'", metadata={"parameter_count": count})


def test_weights_that_are_missing_are_named(tmp_path, monkeypatch):
    import types

    found = record(tmp_path)
    assert local_weights(found) is None
    spec = types.ModuleType("keras_hub")
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: Spec() if name == "keras_hub" else spec
    )
    with pytest.raises(WeightsError, match=parts("has no weights ... model.weights.h5 ... none")):
        load_backbone(found, 64)


class Spec:
    submodule_search_locations = ("somewhere",)
