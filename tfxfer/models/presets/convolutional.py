"""ResNet, VGG and DenseNet of KerasHub."""

from tfxfer.models.backbones.backbone import numbered
from tfxfer.models.presets.family import (
    MOST_BLOCKS,
    MOST_CHANNELS,
    Anatomy,
    Family,
    Settings,
    check_lengths,
    last_stride,
)
from tfxfer.models.presets.settings import FLAG, fraction, one_of, whole_number, whole_numbers


def _resnet(settings: Settings) -> Anatomy:
    convolutions = settings["input_conv_filters"], settings["input_conv_kernel_sizes"]
    widths, blocks = settings["stackwise_num_filters"], settings["stackwise_num_blocks"]
    strides, kind = settings["stackwise_num_strides"], settings["block_type"]
    check_lengths(convolutions, (widths, blocks, strides))
    paper = "He et al. 2015, arXiv:1512.03385"
    if settings["use_pre_activation"]:
        paper = "He et al. 2016, arXiv:1603.05027"
    elif kind.endswith("_vd"):
        paper = "He et al. 2018, arXiv:1812.01187"
    stem, channels = 0, 3
    for width, kernel_size in zip(*convolutions, strict=True):
        stem += kernel_size**2 * channels * width
        channels = width
    return Anatomy(
        stages=(("stem", "pool1_pool"), *numbered("stack#_.*", 0, len(widths) - 1, "stack#")),
        last_resolution=f"stack{last_stride(strides)}",
        num_features=widths[-1] * (4 if kind.startswith("bottleneck") else 1),
        least_parameters=stem
        + sum(9 * width**2 * number for width, number in zip(widths, blocks, strict=True)),
        paper=paper,
    )


RESNET = Family(
    class_name="ResNetBackbone",
    presets="resnet/resnet_presets.py",
    kinds={
        "input_conv_filters": whole_numbers(MOST_CHANNELS),
        "input_conv_kernel_sizes": whole_numbers(31),
        "stackwise_num_filters": whole_numbers(MOST_CHANNELS),
        "stackwise_num_blocks": whole_numbers(MOST_BLOCKS),
        "stackwise_num_strides": whole_numbers(8),
        "block_type": one_of(
            "basic_block", "bottleneck_block", "basic_block_vd", "bottleneck_block_vd"
        ),
        "use_pre_activation": FLAG,
    },
    defaults={"use_pre_activation": False},
    anatomy=_resnet,
    batch_norm=True,
)


def _vgg(settings: Settings) -> Anatomy:
    repeats, widths = settings["stackwise_num_repeats"], settings["stackwise_num_filters"]
    check_lengths((repeats, widths))
    least, channels = 0, 3
    for number, width in zip(repeats, widths, strict=True):
        least += 9 * width * (channels + (number - 1) * width)
        channels = width
    return Anatomy(
        stages=numbered("block#_.*", 1, len(widths), "block#"),
        last_resolution=f"block{len(widths)}",  # each ends in a pooling
        num_features=widths[-1],
        least_parameters=least,
        paper="Simonyan and Zisserman 2014, arXiv:1409.1556",
    )


VGG = Family(
    class_name="VGGBackbone",
    presets="vgg/vgg_presets.py",
    kinds={
        "stackwise_num_repeats": whole_numbers(MOST_BLOCKS),
        "stackwise_num_filters": whole_numbers(MOST_CHANNELS),
    },
    anatomy=_vgg,
    batch_norm=False,
)


def _densenet(settings: Settings) -> Anatomy:
    repeats, growth = settings["stackwise_num_repeats"], settings["growth_rate"]
    least, channels = 0, 64
    for place, number in enumerate(repeats, start=1):
        for _ in range(number):
            least += 4 * growth * (channels + 9 * growth)
            channels += growth
        if place < len(repeats):
            squeezed = int(channels * settings["compression_ratio"])
            if not squeezed:
                raise ValueError("no channels are left by the compression")
            least += channels * squeezed
            channels = squeezed
    # A transition halves the resolution at the end of a stack.
    stacks = numbered("(stack|transition)#_.*", 1, len(repeats), "stack#")
    return Anatomy(
        stages=(("stem", "pool1"), *stacks),
        last_resolution=f"stack{len(repeats)}",
        num_features=channels,
        least_parameters=least,
        paper="Huang et al. 2016, arXiv:1608.06993",
    )


DENSENET = Family(
    class_name="DenseNetBackbone",
    presets="densenet/densenet_presets.py",
    kinds={
        "stackwise_num_repeats": whole_numbers(MOST_BLOCKS),
        "compression_ratio": fraction(),
        "growth_rate": whole_number(512),
    },
    defaults={"compression_ratio": 0.5, "growth_rate": 32},
    anatomy=_densenet,
    batch_norm=True,
)
