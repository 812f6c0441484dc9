"""The networks of Keras Applications: one frozen record each.

Nothing here imports Keras, so that `tfxfer backbones` and misspelled names are fast.
`weights.load_backbone` builds the network of a record.
"""

from typing import Any

from tfxfer.models.backbones.backbone import STORAGE, Backbone, Stages, numbered

# MD5 or SHA-256, as published by Keras. There are none for MobileNet V1 and V2.
_WEIGHTS_HASHES = {
    "vgg16": "6d6bbae143d832006294945121d1f1fc",
    "vgg19": "253f8cb515780f3b799900260a226db6",
    "resnet50": "4d473c1dd8becc155b73f8504c6f6626",
    "resnet101": "88cf7a10940856eca736dc7b7e228a21",
    "resnet152": "ee4c566cf9a93f14d82f913c2dc6dd0c",
    "resnet50v2": "fac2f116257151a9d068a22e544a4917",
    "resnet101v2": "c0ed64b8031c3730f411d2eb4eea35b5",
    "resnet152v2": "ed17cf2e0169df9d443503ef94b23b33",
    "densenet121": "30ee3e1110167f948a6b9946edeeb738",
    "densenet169": "b8c4d4c20dd625c148057b9ff1c1176b",
    "densenet201": "c13680b51ded0fb44dff2d8f86ac8bb1",
    "inceptionv3": "bcbd6486424b2319ff4ef7d526e38f63",
    "inceptionresnetv2": "d19885ff4a710c122648d3b5c3b684e4",
    "xception": "b0042744bf5b25fce3cb969f33bebb97",
    "mobilenetv3small": "d3e8ec802a04aa4fc771ee12a9a9b836",
    "mobilenetv3large": "07fb09a5933dd0c8eaafa16978110389",
    "nasnetmobile": "1ed92395b5b598bdda52abe5c0dbfd63",
    "nasnetlarge": "d81d89dc07e6e56530c4e77faddd61b5",
    "efficientnetb0": "50bc09e76180e00e4465e1a485ddc09d",
    "efficientnetb1": "74c4e6b3e1f6a1eea24c589628592432",
    "efficientnetb2": "111f8e2ac8aa800a7a99e3239f7bfb39",
    "efficientnetb3": "af6d107764bb5b1abb91932881670226",
    "efficientnetb4": "ebc24e6d6c33eaebbd558eafbeedf1ba",
    "efficientnetb5": "38879255a25d3c92d5e44e04ae6cec6f",
    "efficientnetb6": "9ecce42647a20130c1f39a5d4cb75743",
    "efficientnetb7": "cbcfe4450ddf6f3ad90b1b398090fe4a",
    "efficientnetv2b0": "893217f2bb855e2983157299931e43ff",
    "efficientnetv2b1": "0e80663031ca32d657f9caa404b6ec37",
    "efficientnetv2b2": "1dfe2e7a5d45b6632553a8961ea609eb",
    "efficientnetv2b3": "f6abf7b5849ac99a89b50dd3fd532856",
    "efficientnetv2s": "af0682fb74e8c54910f2d4393339c070",
    "efficientnetv2m": "1b8dc055df72dde80d614482840fe342",
    "efficientnetv2l": "b0b66b5c863aef5b46e8608fe1711615",
    "convnexttiny": "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    "convnextsmall": "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
    "convnextbase": "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
    "convnextlarge": "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
    "convnextxlarge": "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
}


# Top-1 accuracy on the ImageNet validation set in per cent, from the table "Available models" of
# https://keras.io/api/applications/. It has no MobileNetV3, and no reduced widths of MobileNet.
_IMAGENET_TOP1 = {
    "xception": 79.0,
    "vgg16": 71.3,
    "vgg19": 71.3,
    "resnet50": 74.9,
    "resnet50v2": 76.0,
    "resnet101": 76.4,
    "resnet101v2": 77.2,
    "resnet152": 76.6,
    "resnet152v2": 78.0,
    "inceptionv3": 77.9,
    "inceptionresnetv2": 80.3,
    "mobilenet": 70.4,
    "mobilenetv2": 71.3,
    "densenet121": 75.0,
    "densenet169": 76.2,
    "densenet201": 77.3,
    "nasnetmobile": 74.4,
    "nasnetlarge": 82.5,
    "efficientnetb0": 77.1,
    "efficientnetb1": 79.1,
    "efficientnetb2": 80.1,
    "efficientnetb3": 81.6,
    "efficientnetb4": 82.9,
    "efficientnetb5": 83.6,
    "efficientnetb6": 84.0,
    "efficientnetb7": 84.3,
    "efficientnetv2b0": 78.7,
    "efficientnetv2b1": 79.8,
    "efficientnetv2b2": 80.5,
    "efficientnetv2b3": 82.0,
    "efficientnetv2s": 83.9,
    "efficientnetv2m": 85.3,
    "efficientnetv2l": 85.7,
    "convnexttiny": 81.3,
    "convnextsmall": 82.3,
    "convnextbase": 85.3,
    "convnextlarge": 86.3,
    "convnextxlarge": 86.7,
}


def _row(
    family: dict[str, Any],
    name: str,
    builder: str,
    native_size: int,
    num_features: int,
    num_parameters: int,
    variant: str = "",
    **own: Any,
) -> Backbone:
    """Returns one record, from the values of its family and its own.

    In the file names of the family, `*` stands for the variant. A URL that ends in `/` is a folder.
    """
    values = family | own
    if "alpha" in values:
        values["builder_arguments"] = (("alpha", values.pop("alpha")),)
    values["weights_file"] = values["weights_file"].replace("*", variant)
    values["weights_url"] = values["weights_url"].replace("*", variant)
    if values["weights_url"].endswith("/"):
        values["weights_url"] += values["weights_file"]
    return Backbone(
        name=name,
        builder=builder,
        native_size=native_size,
        num_features=num_features,
        num_parameters=num_parameters,
        weights_hash=_WEIGHTS_HASHES.get(name, ""),
        imagenet_top1=round(_IMAGENET_TOP1[name] / 100, 3) if name in _IMAGENET_TOP1 else None,
        **values,
    )


_COMMON: dict[str, Any] = {
    "pixels": "symmetric",
    "min_size": 32,
    "batch_norm": True,
    "license": "Apache-2.0 (Google)",
}

_VGG = _COMMON | {
    "pixels": "caffe",
    "stages": numbered(r"block#_.*", 1, 5, "block#"),
    "last_resolution": "block5",
    "batch_norm": False,
    "license": "CC BY 4.0 (University of Oxford)",
    "paper": "Simonyan and Zisserman 2014, arXiv:1409.1556",
    "weights_url": f"{STORAGE}/vgg*/",
    "weights_file": "vgg*_weights_tf_dim_ordering_tf_kernels_notop.h5",
}

_RESNET = _COMMON | {
    "pixels": "caffe",
    "stages": (("conv1", "pool1_pool"), *numbered(r"conv#_.*", 2, 5, "conv#")),
    "last_resolution": "conv5",
    "license": "MIT (Kaiming He)",
    "paper": "He et al. 2015, arXiv:1512.03385",
    "weights_url": f"{STORAGE}/resnet/",
    "weights_file": "resnet*_weights_tf_dim_ordering_tf_kernels_notop.h5",
}

_RESNET_V2 = _RESNET | {
    "pixels": "symmetric",
    "license": "BSD-3-Clause (Facebook)",
    "paper": "He et al. 2016, arXiv:1603.05027",
}

_DENSENET = _COMMON | {
    "pixels": "torch",
    "stages": (("conv1", "pool1"), *numbered(r"(conv|pool)#_.*", 2, 5, "conv#")),
    "last_resolution": "conv5",
    "license": "BSD-3-Clause (Zhuang Liu)",
    "paper": "Huang et al. 2016, arXiv:1608.06993",
    "weights_url": f"{STORAGE}/densenet/",
    "weights_file": "densenet*_weights_tf_dim_ordering_tf_kernels_notop.h5",
}

_INCEPTION_V3 = _COMMON | {
    "min_size": 75,
    "stages": (("stem", "max_pooling2d_1"), *numbered("mixed#", 0, 10, "mixed#")),
    "last_resolution": "mixed8",
    "paper": "Szegedy et al. 2015, arXiv:1512.00567",
    "weights_url": f"{STORAGE}/inception_v3/",
    "weights_file": "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
}

_INCEPTION_RESNET_V2 = _INCEPTION_V3 | {
    "stages": (
        ("stem", "max_pooling2d_1"),
        ("mixed_5b", "mixed_5b"),
        ("block35", r"block35_.*_ac"),
        ("mixed_6a", "mixed_6a"),
        ("block17", r"block17_.*_ac"),
        ("mixed_7a", "mixed_7a"),
        ("block8", r"custom_scale_layer(_\d+)?"),  # block8_10 has no activation after it
        ("conv_7b", "conv_7b_ac"),
    ),
    "last_resolution": "mixed_7a",
    "paper": "Szegedy et al. 2016, arXiv:1602.07261",
    "weights_url": f"{STORAGE}/inception_resnet_v2/",
    "weights_file": "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
}

_XCEPTION = _INCEPTION_V3 | {
    "min_size": 71,
    "stages": (
        ("block1", "block1_conv2_act"),
        ("block2", "add"),  # blocks 2 to 13 end in residual sums without a name of their own
        *((f"block{number}", f"add_{number - 2}") for number in range(3, 14)),
        ("block14", "block14_sepconv2_act"),
    ),
    "last_resolution": "block13",
    "license": "MIT (Keras)",
    "paper": "Chollet 2016, arXiv:1610.02357",
    "weights_url": f"{STORAGE}/xception/",
    "weights_file": "xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
}

_MOBILENET = _COMMON | {
    "stages": (("stem", "conv1_relu"), *numbered("conv_pw_#_relu", 1, 13, "block_#")),
    "last_resolution": "block_12",
    "paper": "Howard et al. 2017, arXiv:1704.04861",
    "weights_url": f"{STORAGE}/mobilenet/",
    "weights_file": "mobilenet_*_224_tf_no_top.h5",
}

_MOBILENET_V2 = _MOBILENET | {
    "stages": (
        ("stem", "expanded_conv_project_BN"),
        *numbered(r"block_#_(project_BN|add)", 1, 16, "block_#"),
        ("top", "out_relu"),
    ),
    "last_resolution": "block_13",
    "paper": "Sandler et al. 2018, arXiv:1801.04381",
    "weights_url": f"{STORAGE}/mobilenet_v2/",
    "weights_file": "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_*_224_no_top.h5",
}


def _mobilenet_v3(num_blocks: int, last_resolution: str) -> dict[str, Any]:
    end = "(project_bn|add)"
    return _COMMON | {
        "pixels": "inside",
        "stages": (
            ("stem", f"expanded_conv_{end}"),
            *numbered(f"expanded_conv_#_{end}", 1, num_blocks, "block_#"),
            ("top", "conv_1_bn"),
        ),
        "last_resolution": last_resolution,
        "paper": "Howard et al. 2019, arXiv:1905.02244",
        "weights_url": f"{STORAGE}/mobilenet_v3/",
        "weights_file": "weights_mobilenet_v3_*_224_1.0_float_no_top_v2.h5",
    }


def _nasnet(num_cells: int) -> dict[str, Any]:
    return _COMMON | {
        # Each reduction cell goes with the normal cells it feeds; cells are numbered through.
        "stages": (
            ("stem", "reduction_concat_stem_2"),
            ("cells1", f"normal_concat_{num_cells - 1}"),
            ("cells2", f"normal_concat_{2 * num_cells}"),
            ("cells3", f"normal_concat_{3 * num_cells}"),
        ),
        "last_resolution": "cells3",
        "paper": "Zoph et al. 2017, arXiv:1707.07012",
        "weights_url": f"{STORAGE}/nasnet/NASNet-*-no-top.h5",  # stored under another name
        "weights_file": "nasnet_*_no_top.h5",
    }


def _efficientnet_stages(num_blocks: int) -> Stages:
    return (
        ("stem", "stem_activation"),
        *numbered(r"block#\D.*", 1, num_blocks, "block#"),
        ("top", "top_activation"),
    )


_EFFICIENTNET = _COMMON | {
    "pixels": "inside",
    "stages": _efficientnet_stages(7),
    "last_resolution": "block6",
    "paper": "Tan and Le 2019, arXiv:1905.11946",
    "weights_url": "https://storage.googleapis.com/keras-applications/",
    "weights_file": "efficientnet*_notop.h5",
}

_EFFICIENTNET_V2 = _EFFICIENTNET | {
    "stages": _efficientnet_stages(6),
    "paper": "Tan and Le 2021, arXiv:2104.00298",
    "weights_url": f"{STORAGE}/efficientnet_v2/",
    "weights_file": "efficientnetv2-*_notop.h5",
}

_EFFICIENTNET_V2L = _EFFICIENTNET_V2 | {"stages": _efficientnet_stages(7)}

_CONVNEXT = _COMMON | {
    "pixels": "inside",
    "stages": (("stem", r".*_stem"), *numbered(r".*_stage_#_.*", 0, 3, "stage#")),
    "last_resolution": "stage3",
    "batch_norm": False,
    "license": "MIT (Meta)",
    "paper": "Liu et al. 2022, arXiv:2201.03545",
    "weights_url": f"{STORAGE}/convnext/",
    "weights_file": "convnext_*_notop.h5",
}

_MOBILENET_V3S = _mobilenet_v3(10, "block_8")

_MOBILENET_V3L = _mobilenet_v3(14, "block_12")

ROWS = (
    _row(_VGG, "vgg16", "VGG16", 224, 512, 14_714_688, "16"),
    _row(_VGG, "vgg19", "VGG19", 224, 512, 20_024_384, "19"),
    _row(_RESNET, "resnet50", "ResNet50", 224, 2048, 23_587_712, "50"),
    _row(_RESNET, "resnet101", "ResNet101", 224, 2048, 42_658_176, "101"),
    _row(_RESNET, "resnet152", "ResNet152", 224, 2048, 58_370_944, "152"),
    _row(_RESNET_V2, "resnet50v2", "ResNet50V2", 224, 2048, 23_564_800, "50v2"),
    _row(_RESNET_V2, "resnet101v2", "ResNet101V2", 224, 2048, 42_626_560, "101v2"),
    _row(_RESNET_V2, "resnet152v2", "ResNet152V2", 224, 2048, 58_331_648, "152v2"),
    _row(_DENSENET, "densenet121", "DenseNet121", 224, 1024, 7_037_504, "121"),
    _row(_DENSENET, "densenet169", "DenseNet169", 224, 1664, 12_642_880, "169"),
    _row(_DENSENET, "densenet201", "DenseNet201", 224, 1920, 18_321_984, "201"),
    _row(_INCEPTION_V3, "inceptionv3", "InceptionV3", 299, 2048, 21_802_784),
    _row(_INCEPTION_RESNET_V2, "inceptionresnetv2", "InceptionResNetV2", 299, 1536, 54_336_736),
    _row(_XCEPTION, "xception", "Xception", 299, 2048, 20_861_480),
    _row(_MOBILENET, "mobilenet", "MobileNet", 224, 1024, 3_228_864, "1_0", alpha=1.0),
    _row(_MOBILENET, "mobilenet_075", "MobileNet", 224, 768, 1_832_976, "7_5", alpha=0.75),
    _row(_MOBILENET, "mobilenet_050", "MobileNet", 224, 512, 829_536, "5_0", alpha=0.5),
    _row(_MOBILENET, "mobilenet_025", "MobileNet", 224, 256, 218_544, "2_5", alpha=0.25),
    _row(_MOBILENET_V2, "mobilenetv2", "MobileNetV2", 224, 1280, 2_257_984, "1.0", alpha=1.0),
    _row(_MOBILENET_V2, "mobilenetv2_140", "MobileNetV2", 224, 1792, 4_363_712, "1.4", alpha=1.4),
    _row(_MOBILENET_V2, "mobilenetv2_130", "MobileNetV2", 224, 1664, 3_766_048, "1.3", alpha=1.3),
    _row(_MOBILENET_V2, "mobilenetv2_075", "MobileNetV2", 224, 1280, 1_382_064, "0.75", alpha=0.75),
    _row(_MOBILENET_V2, "mobilenetv2_050", "MobileNetV2", 224, 1280, 706_224, "0.5", alpha=0.5),
    _row(_MOBILENET_V2, "mobilenetv2_035", "MobileNetV2", 224, 1280, 410_208, "0.35", alpha=0.35),
    _row(_MOBILENET_V3S, "mobilenetv3small", "MobileNetV3Small", 224, 576, 939_120, "small"),
    _row(_MOBILENET_V3L, "mobilenetv3large", "MobileNetV3Large", 224, 960, 2_996_352, "large"),
    _row(_nasnet(4), "nasnetmobile", "NASNetMobile", 224, 1056, 4_269_716, "mobile"),
    _row(_nasnet(6), "nasnetlarge", "NASNetLarge", 331, 4032, 84_916_818, "large"),
    _row(_EFFICIENTNET, "efficientnetb0", "EfficientNetB0", 224, 1280, 4_049_571, "b0"),
    _row(_EFFICIENTNET, "efficientnetb1", "EfficientNetB1", 240, 1280, 6_575_239, "b1"),
    _row(_EFFICIENTNET, "efficientnetb2", "EfficientNetB2", 260, 1408, 7_768_569, "b2"),
    _row(_EFFICIENTNET, "efficientnetb3", "EfficientNetB3", 300, 1536, 10_783_535, "b3"),
    _row(_EFFICIENTNET, "efficientnetb4", "EfficientNetB4", 380, 1792, 17_673_823, "b4"),
    _row(_EFFICIENTNET, "efficientnetb5", "EfficientNetB5", 456, 2048, 28_513_527, "b5"),
    _row(_EFFICIENTNET, "efficientnetb6", "EfficientNetB6", 528, 2304, 40_960_143, "b6"),
    _row(_EFFICIENTNET, "efficientnetb7", "EfficientNetB7", 600, 2560, 64_097_687, "b7"),
    _row(_EFFICIENTNET_V2, "efficientnetv2b0", "EfficientNetV2B0", 224, 1280, 5_919_312, "b0"),
    _row(_EFFICIENTNET_V2, "efficientnetv2b1", "EfficientNetV2B1", 240, 1280, 6_931_124, "b1"),
    _row(_EFFICIENTNET_V2, "efficientnetv2b2", "EfficientNetV2B2", 260, 1408, 8_769_374, "b2"),
    _row(_EFFICIENTNET_V2, "efficientnetv2b3", "EfficientNetV2B3", 300, 1536, 12_930_622, "b3"),
    _row(_EFFICIENTNET_V2, "efficientnetv2s", "EfficientNetV2S", 384, 1280, 20_331_360, "s"),
    _row(_EFFICIENTNET_V2L, "efficientnetv2m", "EfficientNetV2M", 480, 1280, 53_150_388, "m"),
    _row(_EFFICIENTNET_V2L, "efficientnetv2l", "EfficientNetV2L", 480, 1280, 117_746_848, "l"),
    _row(_CONVNEXT, "convnexttiny", "ConvNeXtTiny", 224, 768, 27_820_128, "tiny"),
    _row(_CONVNEXT, "convnextsmall", "ConvNeXtSmall", 224, 768, 49_454_688, "small"),
    _row(_CONVNEXT, "convnextbase", "ConvNeXtBase", 224, 1024, 87_566_464, "base"),
    _row(_CONVNEXT, "convnextlarge", "ConvNeXtLarge", 224, 1536, 196_230_336, "large"),
    _row(_CONVNEXT, "convnextxlarge", "ConvNeXtXLarge", 224, 2048, 348_147_968, "xlarge"),
)
