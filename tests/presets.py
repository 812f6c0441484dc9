"""Presets of KerasHub for tests: made by hand, or by KerasHub where it is installed."""

import importlib.util
import json

import pytest

needs_kerashub = pytest.mark.skipif(
    importlib.util.find_spec("keras_hub") is None, reason="needs pip install '.[kerashub]'"
)

SMALL_RESNET = {
    "input_conv_filters": [64],
    "input_conv_kernel_sizes": [7],
    "stackwise_num_filters": [64, 8, 16, 24],
    "stackwise_num_blocks": [1, 1, 1, 2],
    "stackwise_num_strides": [1, 2, 2, 2],
    "block_type": "basic_block",
    "use_pre_activation": False,
}

RESNET_V2 = SMALL_RESNET | {"block_type": "bottleneck_block", "use_pre_activation": True}

RESNET_VD = SMALL_RESNET | {
    "block_type": "bottleneck_block_vd",
    "input_conv_filters": [16, 16, 32],
    "input_conv_kernel_sizes": [3, 3, 3],
}

VGG = {"stackwise_num_repeats": [1, 1, 2], "stackwise_num_filters": [8, 16, 24]}

DENSENET = {"stackwise_num_repeats": [2, 3, 2], "compression_ratio": 0.5, "growth_rate": 8}

EFFICIENTNET = {
    "stackwise_width_coefficients": [1.0, 1.0, 1.1, 1.1],
    "stackwise_depth_coefficients": [1.0, 1.0, 1.2, 1.2],
    "stackwise_kernel_sizes": [3, 3, 5, 3],
    "stackwise_num_repeats": [1, 2, 2, 1],
    "stackwise_input_filters": [16, 8, 16, 24],
    "stackwise_output_filters": [8, 16, 24, 32],
    "stackwise_expansion_ratios": [1, 4, 4, 4],
    "stackwise_squeeze_and_excite_ratios": [0.25, 0.25, 0.25, 0.25],
    "stackwise_strides": [1, 2, 2, 2],
    "stackwise_block_types": ["v1"] * 4,
    "dropout": 0.05,
    "use_depth_divisor_as_min_depth": True,
    "cap_round_filter_decrease": True,
}

EFFICIENTNET_LITE = EFFICIENTNET | {
    "activation": "relu6",
    "stackwise_squeeze_and_excite_ratios": [0, 0, 0, 0],
    "use_depth_divisor_as_min_depth": False,
}

MOBILENET = {
    "stackwise_num_blocks": [2, 2],
    "stackwise_expansion": [[40, 56], [64, 144]],
    "stackwise_num_filters": [[16, 16], [24, 24]],
    "stackwise_kernel_size": [[3, 3], [5, 5]],
    "stackwise_num_strides": [[2, 1], [2, 1]],
    "stackwise_se_ratio": [[None, None], [0.25, 0.25]],
    "stackwise_activation": [["relu", "relu"], ["hard_swish", "hard_swish"]],
    "stackwise_padding": [[1, 1], [2, 2]],
    "output_num_filters": 64,
    "depthwise_filters": 8,
    "depthwise_stride": 2,
    "depthwise_residual": False,
    "last_layer_filter": 48,
    "squeeze_and_excite": 0.5,
}

HGNETV2 = {
    "depths": [1, 1],
    "embedding_size": 16,
    "hidden_sizes": [32, 64],
    "stem_channels": [3, 16, 16],
    "hidden_act": "relu",
    "use_learnable_affine_block": False,
    "stackwise_stage_filters": [[16, 16, 32, 1, 2, 3], [32, 16, 64, 2, 2, 5]],
    "apply_downsample": [False, True],
    "use_lightweight_conv_block": [False, True],
}

NETWORKS = {
    "mobilenet": ("MobileNetBackbone", MOBILENET),
    "hgnet": ("HGNetV2Backbone", HGNETV2),
    "hgnet_affine": ("HGNetV2Backbone", HGNETV2 | {"use_learnable_affine_block": True}),
    "vgg": ("VGGBackbone", VGG),
    "densenet": ("DenseNetBackbone", DENSENET),
    "efficientnet": ("EfficientNetBackbone", EFFICIENTNET),
    "efficientnet_lite": ("EfficientNetBackbone", EFFICIENTNET_LITE),
    "resnet": ("ResNetBackbone", SMALL_RESNET),
    "resnet_v2": ("ResNetBackbone", RESNET_V2),
    "resnet_vd": ("ResNetBackbone", RESNET_VD),
}

VIT = {
    "patch_size": 16,
    "num_layers": 4,
    "num_heads": 2,
    "hidden_dim": 16,
    "mlp_dim": 24,
    "dropout_rate": 0.1,
    "attention_dropout": 0.1,
}

DINOV2 = {
    "patch_size": 14,
    "num_layers": 3,
    "num_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 24,
    "position_embedding_shape": [70, 70, 3],
}

DINOV2_REGISTERS = DINOV2 | {
    "num_register_tokens": 2,
    "use_mask_token": False,
    "antialias_in_interpolation": True,
    "position_embedding_shape": [28, 28, 3],
}

# Vision transformers, with the sizes of their images.
TOKENS = {
    "vit": ("ViTBackbone", VIT, 64),
    "dinov2": ("DINOV2Backbone", DINOV2, 56),
    "dinov2_registers": ("DINOV2Backbone", DINOV2_REGISTERS, 56),
}

DINOV3 = {
    "patch_size": 16,
    "num_layers": 3,
    "num_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 24,
    "num_register_tokens": 2,
    "use_key_bias": False,
}

DINOV3_GATED = DINOV3 | {
    "use_gated_mlp": True,
    "hidden_activation": "silu",
    "num_register_tokens": 0,
    "use_mask_token": False,
}

SIGLIP = {
    "patch_size": 16,
    "num_layers": 3,
    "num_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 24,
}

SWIN = {
    "embed_dim": 8,
    "depths": [2, 2, 2],
    "num_heads": [2, 2, 4],
    "window_size": 3,
}

# Transformers with modules of their own, likewise.
OTHERS = {
    "dinov3": ("DINOV3Backbone", DINOV3, 64),
    "dinov3_gated": ("DINOV3Backbone", DINOV3_GATED, 64),
    "swin": ("SwinTransformerBackbone", SWIN, 64),
    "swin_unshifted": ("SwinTransformerBackbone", SWIN | {"depths": [1, 1, 1]}, 64),
    "siglip": ("SigLIPVisionEncoder", SIGLIP, 64),
}

TORCH_SCALING = {
    "scale": [1 / 255 / std for std in (0.229, 0.224, 0.225)],
    "offset": [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225],
}


def written_preset(
    folder,
    config=None,
    converter=None,
    metadata=None,
    *,
    class_name="ResNetBackbone",
    own_settings=False,
):
    """Writes the JSON files of a preset, with these changes to those of a small ResNet.

    A value None leaves a file's setting out. With `own_settings` the network has those of `config`
    alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"name": "x", "trainable": True, "image_shape": [None, None, 3]}
    settings |= {} if own_settings else SMALL_RESNET
    files = {
        "config.json": {
            "module": "keras_hub.src.models.resnet.resnet_backbone",
            "class_name": class_name,
            "config": settings | (config or {}),
        },
        "image_converter.json": {
            "class_name": "ResNetImageConverter",
            "config": {"image_size": [64, 64], **TORCH_SCALING} | (converter or {}),
        },
        "metadata.json": {"parameter_count": 100_000} | (metadata or {}),
    }
    for name, content in files.items():
        for table in (content, content.get("config", {})):
            for key in [key for key, value in table.items() if value is None]:
                del table[key]
        (folder / name).write_text(json.dumps(content))
    return folder


def saved_preset(folder, name, seed=0):
    """Writes a preset as KerasHub does, with random weights and statistics.

    Args:
        folder: A new directory.
        name: One of `NETWORKS`, `TOKENS` or `OTHERS`.
        seed: Of the weights.
    """
    import keras_hub
    import numpy as np

    generator = np.random.default_rng(seed)
    if name in TOKENS | OTHERS:
        class_name, settings, size = (TOKENS | OTHERS)[name]
        shape = (size, size, 3)
        backbone = getattr(keras_hub.models, class_name)(**settings, image_shape=shape)
        for variable in backbone.weights:
            if variable.dtype == "float32":
                variable.assign(generator.normal(0, 0.3, variable.shape))
    else:
        class_name, settings = NETWORKS[name]
        size = 64
        backbone = getattr(keras_hub.models, class_name)(**settings)
        _calibrate(backbone, generator)
    backbone.save_to_preset(str(folder))
    kind = class_name.replace("Backbone", "").replace("VisionEncoder", "")
    converter = getattr(keras_hub.layers, f"{kind}ImageConverter")
    converter(image_size=(size, size), **TORCH_SCALING).save_to_preset(str(folder))
    return folder


def _calibrate(backbone, generator):
    """Gives BatchNorm random scales and offsets, and the statistics of images that differ.

    With the statistics of a new network, features are all alike.
    """
    import keras
    import numpy as np

    for layer in backbone._flatten_layers():
        if type(layer).__name__ == "HGNetV2LearnableAffineBlock":
            layer.scale.assign(generator.uniform(0.5, 1.5))
            layer.bias.assign(generator.normal(0, 0.2))
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, *statistics = layer.get_weights()
            values = generator.uniform(0.5, 1.5, gamma.shape), generator.normal(0, 0.2, beta.shape)
            layer.set_weights([*values, *statistics])
            layer.momentum = 0.0
    coarse = generator.normal(size=(8, 4, 4, 3)).astype("float32")
    backbone(np.repeat(np.repeat(coarse, 16, axis=1), 16, axis=2), training=True)
