import pytest
from encoder_files import encoder_directory

from tfxfer.errors import UsageError
from tfxfer.models.backbones.registry import BACKBONES as IMAGE_BACKBONES
from tfxfer.text.models.backbones import (
    BACKBONES,
    find_text_backbone,
    is_text_backbone,
    recorded_backbone,
)


def test_names_are_no_names_of_image_backbones():
    assert not BACKBONES.keys() & IMAGE_BACKBONES.keys()
    assert all(name == backbone.name for name, backbone in BACKBONES.items())


def test_an_unknown_name_is_told():
    assert find_text_backbone("gru").stages == ("embedding", "recurrent")
    with pytest.raises(UsageError, match="Unknown text backbone 'ltsm'. Did you mean 'lstm'"):
        find_text_backbone("ltsm")


def test_an_encoder_in_a_directory_is_a_backbone(tmp_path):
    name = f"kerashub:{encoder_directory(tmp_path / 'my net', mean=True)}"
    found = find_text_backbone(name)
    assert is_text_backbone(name)
    assert (found.name, found.file_name, found.unit) == (name, "my-net", "tokens")
    assert (found.is_encoder, found.has_units, found.num_features(16, 1)) == (True, False, 16)
    assert found.unfrozen_stages("block2") == ("block2",)
    assert found.what == "pretrained BERT, 2 blocks, mean over the tokens"
    assert "Devlin" in found.paper
    (tmp_path / "my net" / "config.json").unlink()
    assert not is_text_backbone(name)


def test_other_directories_and_names_are_no_text_backbones(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr("socket.create_connection", lambda *_, **__: 1 / 0)
    names = [f"kerashub:{tmp_path}", "kerashub:resnet_18_imagenet", "kerashub:", "resnet50"]
    for name in (*names, "kerashub:hf://owner/name", "kerashub:hf://", "kerashub:~nobody-here/x"):
        assert not is_text_backbone(name)
    with pytest.raises(UsageError, match="kerashub:DIRECTORY with a BERT-like encoder"):
        find_text_backbone("kerashub:no-such-directory")
    with pytest.raises(UsageError, match="Cannot read"):
        find_text_backbone(f"kerashub:{tmp_path}")


def test_an_encoder_in_the_cache_of_hugging_face_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    encoder_directory(tmp_path / "models--owner--name" / "snapshots" / "main")
    found = find_text_backbone("kerashub:hf://owner/name")
    assert (found.name, found.file_name) == ("kerashub:hf://owner/name", "name")


def test_the_record_of_a_model_outlives_its_directory(tmp_path):
    name = f"kerashub:{encoder_directory(tmp_path / 'net')}"
    stages = ["embedding", "block1", "block2"]
    assert recorded_backbone(name, stages) == find_text_backbone(name)
    found = recorded_backbone("kerashub:/gone", stages)
    assert (found.name, found.stages, found.unit) == ("kerashub:/gone", tuple(stages), "tokens")
    assert found.what == "pretrained encoder, 2 blocks"
    assert recorded_backbone("lstm", []) == BACKBONES["lstm"]


def test_stages_are_unfrozen_from_one_on():
    lstm = BACKBONES["lstm"]
    assert lstm.unfrozen_stages("all") == ("embedding", "recurrent")
    assert lstm.unfrozen_stages("recurrent") == ("recurrent",)
    assert lstm.unfrozen_stages("none") == ()
