import pytest

from tfxfer.errors import UsageError
from tfxfer.models.backbones.registry import BACKBONES as IMAGE_BACKBONES
from tfxfer.text.models.backbones import BACKBONES, find_text_backbone


def test_names_are_no_names_of_image_backbones():
    assert not BACKBONES.keys() & IMAGE_BACKBONES.keys()
    assert all(name == backbone.name for name, backbone in BACKBONES.items())


def test_an_unknown_name_is_told():
    assert find_text_backbone("gru").stages == ("embedding", "recurrent")
    with pytest.raises(UsageError, match="Unknown text backbone 'ltsm'. Did you mean 'lstm'"):
        find_text_backbone("ltsm")


def test_stages_are_unfrozen_from_one_on():
    lstm = BACKBONES["lstm"]
    assert lstm.unfrozen_stages("all") == ("embedding", "recurrent")
    assert lstm.unfrozen_stages("recurrent") == ("recurrent",)
    assert lstm.unfrozen_stages("none") == ()
