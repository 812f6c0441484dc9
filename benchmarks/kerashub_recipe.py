"""KerasHub's `ImageClassifier` with ResNet50 in the two phases of the guide, as one JSON line.

    python benchmarks/kerashub_recipe.py DATA --backbone resnet50 --weights none --seed 0

For speed: random weights, whatever --weights says, on the batches of `guide_recipe.py` and with its
options, by KerasHub's own `fit`. Its ResNet50 has the shape of that of Keras Applications but
strides in the 3 x 3 convolutions of a stage's first block instead of the 1 x 1 before it, and no
biases; it normalises in tf.data, and lets BatchNorm adapt where the backbone is unfrozen. Needs
`keras-hub`.
"""

import argparse

import keras
import keras_hub
from guide_recipe import fit_both_phases

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


def build_model(options: argparse.Namespace, num_classes: int) -> tuple[keras.Model, keras.Model]:
    """Returns KerasHub's classifier and the backbone inside it."""
    if options.backbone != "resnet50":
        raise SystemExit("KerasHub is measured with --backbone resnet50 only.")
    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[3, 4, 6, 3],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="bottleneck_block",
        image_shape=(options.size, options.size, 3),
    )
    converter = keras_hub.layers.ResNetImageConverter(
        scale=[1 / 255 / deviation for deviation in IMAGENET_DEVIATION],
        offset=[-m / d for m, d in zip(IMAGENET_MEAN, IMAGENET_DEVIATION, strict=True)],
    )
    classifier = keras_hub.models.ImageClassifier(
        backbone=backbone,
        num_classes=num_classes,
        preprocessor=keras_hub.models.ResNetImageClassifierPreprocessor(converter),
        dropout=0.2,
    )
    return classifier, backbone


if __name__ == "__main__":
    fit_both_phases(build_model, __doc__)
