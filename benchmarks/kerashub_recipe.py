"""KerasHub's `ImageClassifier` with ResNet50 in the two phases of the guide; prints one JSON line.

    python benchmarks/kerashub_recipe.py DATA --backbone resnet50 --weights none --seed 0

Measures speed only: random weights, whatever --weights says, on the batches and with the options of
`guide_recipe.py`, trained by KerasHub's own `fit`. Its ResNet50 differs from that of Keras
Applications: strides are in the 3 x 3 convolutions of a stage's first block, not in the 1 x 1
before it, and there are no biases. It normalizes in tf.data, and updates BatchNorm statistics if
the backbone is unfrozen. Needs `keras-hub`.
"""

import argparse

import keras
import keras_hub
from guide_recipe import fit_both_phases

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def build_model(options: argparse.Namespace, num_classes: int) -> tuple[keras.Model, keras.Model]:
    """Returns KerasHub's classifier and the backbone inside it."""
    if options.backbone != "resnet50":
        raise SystemExit("KerasHub requires --backbone resnet50.")
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
        scale=[1 / 255 / std for std in IMAGENET_STD],
        offset=[-m / d for m, d in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)],
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
