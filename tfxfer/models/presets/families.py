"""The families of KerasHub's networks that can be used, by the name of their class."""

from tfxfer.models.presets.convolutional import DENSENET, RESNET, VGG
from tfxfer.models.presets.efficientnet import EFFICIENTNET

FAMILIES = {family.class_name: family for family in (RESNET, EFFICIENTNET, DENSENET, VGG)}
