"""Models at the Hugging Face hub: addresses, and the cache; nothing is downloaded."""

import time

import pytest
from messages import parts
from timm_files import made_up, timm_directory
from timm_shapes import resnet18_shapes

from tfxfer.errors import UsageError, WeightsError
from tfxfer.models.backbones.registry import find_backbone, local_weights
from tfxfer.models.presets.tokens import hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "hub"


def cached(cache, repository="timm/resnet18.a1_in1k", tensors=None):
    folder = cache / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    return timm_directory(folder / "snapshots" / COMMIT, tensors)


def test_a_model_in_the_cache_is_a_backbone(cache):
    tensors = {name: made_up(name, shape) for name, shape in resnet18_shapes().items()}
    folder = cached(cache, tensors=tensors)
    for address in ("hf://timm/resnet18.a1_in1k", f"hf://timm/resnet18.a1_in1k@{COMMIT}"):
        assert hub.folder_of(address) == folder
        found = find_backbone(f"kerashub:{address}")
        assert found.name == f"kerashub:{address}"
        assert found.preset_architecture == "resnet18"
        assert found.file_name.startswith("kerashub-resnet18.a1_in1k")
        assert local_weights(found) == folder / "model.safetensors"


def test_the_cache_is_where_the_environment_says(cache, monkeypatch, tmp_path):
    folder = cached(tmp_path / "other")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "other"))
    assert hub.folder_of("hf://timm/resnet18.a1_in1k") == folder


@pytest.mark.parametrize(
    "address", ["hf://", "hf://timm", "hf://../../etc", "hf://a/b/c", "hf://a/b@../c", "hf://a/.."]
)
def test_an_address_has_two_parts_and_leads_nowhere_else(cache, address):
    with pytest.raises(UsageError, match="an address at Hugging Face is hf://OWNER/NAME"):
        find_backbone(f"kerashub:{address}")


def test_a_reference_leads_nowhere_else(cache, monkeypatch, tmp_path):
    cached(cache)
    path = cache / "models--timm--resnet18.a1_in1k" / "refs" / "main"
    path.write_text("../../elsewhere")
    timm_directory(cache / "elsewhere")
    without_network(monkeypatch)
    with pytest.raises(WeightsError, match="not in the cache"):
        hub.folder_of("hf://timm/resnet18.a1_in1k")


def without_network(monkeypatch):
    def refused(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.getproxies", dict)
    monkeypatch.setattr("socket.create_connection", refused)


def test_without_a_network_it_is_said_at_once_what_to_do(cache, monkeypatch):
    without_network(monkeypatch)
    start = time.monotonic()
    expected = (
        "'hf://timm/resnet18.a1_in1k' is not in the cache ... (no route to host) ... "
        "hf download timm/resnet18.a1_in1k ... kerashub:FOLDER"
    )
    with pytest.raises(WeightsError, match=parts(expected)):
        find_backbone("kerashub:hf://timm/resnet18.a1_in1k")
    assert time.monotonic() - start < 5
