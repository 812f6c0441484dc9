"""The families of KerasHub's networks that can be used, by the name of their class."""

from tfxfer.models.presets.blocks.families import HGNETV2, MOBILENET
from tfxfer.models.presets.convolutional import DENSENET, RESNET, VGG
from tfxfer.models.presets.efficientnet import EFFICIENTNET
from tfxfer.models.presets.tokens.families import DINOV2, VIT

FAMILIES = {
    family.class_name: family
    for family in (RESNET, EFFICIENTNET, DENSENET, VGG, MOBILENET, HGNETV2, VIT, DINOV2)
}
