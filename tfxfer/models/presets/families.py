"""The families of KerasHub's networks that can be used, by the name of their class."""

from tfxfer.models.presets.blocks.families import HGNETV2, MOBILENET
from tfxfer.models.presets.convolutional import DENSENET, RESNET, VGG
from tfxfer.models.presets.efficientnet import EFFICIENTNET
from tfxfer.models.presets.tokens.families import DINOV2, DINOV3, SIGLIP, SWIN, VIT

_CONVOLUTIONAL = (RESNET, EFFICIENTNET, DENSENET, VGG, MOBILENET, HGNETV2)

_ALL = (*_CONVOLUTIONAL, VIT, DINOV2, DINOV3, SIGLIP, SWIN)

FAMILIES = {family.class_name: family for family in _ALL}

# By the class of a larger network, which has one of these inside.
OUTER_FAMILIES = {family.outer_class: family for family in _ALL if family.outer_class}
