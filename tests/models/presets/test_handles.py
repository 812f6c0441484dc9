"""Presets by name: what KerasHub lists, and files at Kaggle."""

import importlib
import sys
import time

import pytest
from messages import parts
from presets import needs_kerashub, written_preset

from tfxfer.errors import UsageError, WeightsError
from tfxfer.models.backbones.registry import find_backbone, find_weights_file
from tfxfer.models.presets.handles import Handle, fetch, find_handle
from tfxfer.models.presets.record import preset_backbone

LISTED = '''"""Presets."""
backbone_presets = {
    "resnet_18_imagenet": {
        "metadata": {"description": ("a" "b"), "params": 100000, "path": "resnet"},
        "kaggle_handle": "kaggle://keras/resnetv1/keras/resnet_18_imagenet/3",
    },
    "resnet_wrong_imagenet": {
        "metadata": {"description": "", "params": 1, "path": "resnet"},
        "kaggle_handle": "kaggle://keras/resnetv1/keras/resnet_18_imagenet/3",
    },
}
'''


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """Installs a package keras_hub that lists presets and must not be imported."""
    package = tmp_path / "site" / "keras_hub"
    for name, text in {
        "resnet": LISTED,
        "bert": LISTED.replace("resnet_18", "bert"),
        "odd": "backbone_presets = __import__('os').system('touch run')",
    }.items():
        folder = package / "src" / "models" / name
        folder.mkdir(parents=True)
        (folder / f"{name}_presets.py").write_text(text)
    (package / "__init__.py").write_text("raise SystemExit('it must not be imported')")
    monkeypatch.delitem(sys.modules, "keras_hub", raising=False)
    monkeypatch.syspath_prepend(package.parent)
    importlib.invalidate_caches()
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models" / "keras/resnetv1/keras/resnet_18_imagenet/3"


def test_without_kerashub_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    backbone = preset_backbone(f"kerashub:{written_preset(tmp_path)}")
    for call in (
        lambda: find_backbone("kerashub:resnet_18_imagenet"),
        lambda: find_weights_file(backbone, "preset"),
    ):
        with pytest.raises(UsageError, match=r"not installed: pip install 'tfxfer\[kerashub\]'"):
            call()


def test_a_listed_name_is_found_without_importing_kerashub(listed):
    found = find_handle("resnet_18_imagenet")
    assert found == Handle(
        "resnet_18_imagenet",
        "keras/resnetv1/keras/resnet_18_imagenet/3",
        "ResNetBackbone",
    )
    assert found.folder == listed
    assert found.page == "https://www.kaggle.com/models/keras/resnetv1"


def test_a_misspelled_name_gets_the_nearest(listed):
    with pytest.raises(UsageError, match=parts("'resnet_19_imagenet' ... 'resnet_18_imagenet'?")):
        find_handle("resnet_19_imagenet")


def test_a_name_of_another_network_is_refused_by_it(listed):
    with pytest.raises(UsageError, match=parts("'bert_imagenet' ... one of bert ... ResNet")):
        find_handle("bert_imagenet")


@pytest.mark.parametrize(
    "address",
    [
        *(
            "kaggle://a/b",
            "kaggle://a/b/keras/c",
            "kaggle://a/b/keras/c/x",
            "kaggle://a/b/torch/c/1",
        ),
        *("kaggle://../../keras/c/1", "kaggle://a/b/keras/../1", "kaggle://a/b/keras/c/1/../x"),
    ],
)
def test_an_address_has_five_parts_and_leads_nowhere_else(listed, address):
    with pytest.raises(UsageError, match="OWNER/MODEL/keras/VARIANT/VERSION"):
        find_handle(address)


def test_an_address_is_taken_with_its_version(listed):
    found = find_handle("kaggle://me/mine/keras/small/2")
    assert (found.address, found.class_name) == ("me/mine/keras/small/2", None)


def test_cached_files_need_no_network(listed):
    written_preset(listed)
    found = find_backbone("kerashub:resnet_18_imagenet")
    assert found.name == "kerashub:resnet_18_imagenet"
    assert found.file_name == "kerashub-resnet_18_imagenet"
    assert found.license == "unknown, see https://www.kaggle.com/models/keras/resnetv1"
    assert found.preset_folder == str(listed)


def test_a_name_that_leads_to_another_network_is_refused(listed):
    with pytest.raises(UsageError, match=parts("'resnet_wrong_imagenet' ... 'resnet_18_imagenet'")):
        find_backbone("kerashub:resnet_wrong_imagenet")
    files = {"stackwise_num_repeats": [1], "stackwise_num_filters": [8]}
    written_preset(listed, files, class_name="VGGBackbone", own_settings=True)
    with pytest.raises(UsageError, match=parts("a VGGBackbone instead of a ResNetBackbone")):
        find_backbone("kerashub:resnet_18_imagenet")


def test_without_a_network_it_is_said_at_once(listed, monkeypatch):
    def unreachable(*arguments, **options):
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.create_connection", unreachable)
    for name in (
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    start = time.monotonic()
    expected = (
        "'config.json' of the preset 'resnet_18_imagenet' ... (Name or service not known) ... "
        "model_download('keras/resnetv1/keras/resnet_18_imagenet/3') ... kerashub:FOLDER"
    )
    with pytest.raises(WeightsError, match=parts(expected)):
        fetch(find_handle("resnet_18_imagenet"), "config.json")
    assert time.monotonic() - start < 5


@needs_kerashub
def test_what_kerashub_lists_is_what_its_source_says():
    found = find_handle("resnet_vd_50_imagenet")
    assert found.address == "keras/resnet_vd/keras/resnet_vd_50_imagenet/2"
    with pytest.raises(UsageError, match="one of bert"):
        find_handle("bert_base_en")
    for wrong in ("efficientnet_el_ra_imagenet", "efficientnet_es_ra_imagenet"):
        with pytest.raises(UsageError, match=parts(f"'{wrong}' ... efficientnet_b1_ft_imagenet")):
            find_handle(wrong)
