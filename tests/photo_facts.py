"""What is known of photographs and a backbone, for tests of rules."""

import dataclasses

from tfxfer.planning.rules.facts import Facts

# Ants and bees, for a network with the stages of ResNet50.
ANTS_AND_BEES = Facts(
    num_train=245,
    num_validation=153,
    num_classes=10,
    num_features=2048,
    side=375,
    mirrored=True,
    native_size=224,
    min_size=32,
    last_resolution="conv5",
    weights_name="imagenet",
)

# Five flowers, for MobileNetV2.
FLOWERS = dataclasses.replace(
    ANTS_AND_BEES,
    num_train=500,
    num_validation=200,
    num_classes=5,
    num_features=1280,
    side=300,
    last_resolution="block_13",
)
