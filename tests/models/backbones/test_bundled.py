"""The backbone in the box."""

import hashlib
import importlib.resources

from tfxfer.models.backbones.bundled import SMALL_RESNET
from tfxfer.models.backbones.registry import BACKBONES


def test_the_weights_in_the_package_are_those_of_the_row():
    folder = importlib.resources.files("tfxfer.models.backbones") / "pretrained"
    content = (folder / SMALL_RESNET.weights_file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == SMALL_RESNET.weights_hash
    assert SMALL_RESNET.bundled
    assert BACKBONES["resnet10_small"] is SMALL_RESNET
