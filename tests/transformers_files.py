"""Directories of Hugging Face's transformers for tests, without transformers."""

import json

from timm_files import made_up, safetensors_bytes

VIT = {
    "model_type": "vit",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "layer_norm_eps": 1e-6,
    "image_size": 64,
    "patch_size": 16,
    "num_channels": 3,
    "qkv_bias": True,
}

DINOV2 = {
    "model_type": "dinov2",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "mlp_ratio": 2,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "drop_path_rate": 0.0,
    "layer_norm_eps": 1e-6,
    "layerscale_value": 1.0,
    "image_size": 70,
    "patch_size": 14,
    "num_channels": 3,
    "qkv_bias": True,
    "use_swiglu_ffn": False,
}

REGISTERS = DINOV2 | {"model_type": "dinov2_with_registers", "num_register_tokens": 4}

VIT_PIXELS = {
    "do_normalize": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "size": 64,
}

DINOV2_PIXELS = {
    "crop_size": {"height": 56, "width": 56},
    "do_center_crop": True,
    "do_normalize": True,
    "do_rescale": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "rescale_factor": 0.00392156862745098,
    "size": {"shortest_edge": 64},
}

# A `config.json` and its `preprocessor_config.json`.
MODELS = {
    "vit": (VIT, VIT_PIXELS),
    "dinov2": (DINOV2, DINOV2_PIXELS),
    "dinov2_with_registers": (REGISTERS, DINOV2_PIXELS),
}


def shapes(config, prefix=""):
    """Returns the shapes of the tensors of a network by name."""
    width, patch, is_vit = config["hidden_size"], config["patch_size"], "mlp_ratio" not in config
    hidden = config["intermediate_size"] if is_vit else width * config["mlp_ratio"]
    found = {
        "embeddings.cls_token": (1, 1, width),
        "embeddings.position_embeddings": (1, 1 + (config["image_size"] // patch) ** 2, width),
        "embeddings.patch_embeddings.projection.weight": (width, 3, patch, patch),
        "embeddings.patch_embeddings.projection.bias": (width,),
        "layernorm.weight": (width,),
        "layernorm.bias": (width,),
    }
    if not is_vit:
        found["embeddings.mask_token"] = (1, width)
    if registers := config.get("num_register_tokens"):
        found["embeddings.register_tokens"] = (1, registers, width)
    first, second = ("intermediate.dense", "output.dense") if is_vit else ("mlp.fc1", "mlp.fc2")
    norms = ("layernorm_before", "layernorm_after") if is_vit else ("norm1", "norm2")
    for block in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{block}"
        for layer, outputs, inputs in (
            *((f"attention.attention.{part}", width, width) for part in ("query", "key", "value")),
            ("attention.output.dense", width, width),
            (first, hidden, width),
            (second, width, hidden),
        ):
            found[f"{name}.{layer}.weight"] = (outputs, inputs)
            found[f"{name}.{layer}.bias"] = (outputs,)
        for layer in norms:
            found |= {f"{name}.{layer}.{part}": (width,) for part in ("weight", "bias")}
        if not is_vit:
            found |= {f"{name}.layer_scale{one}.lambda1": (width,) for one in (1, 2)}
    return {f"{prefix}{name}": shape for name, shape in found.items()}


def transformers_directory(folder, name="vit", prefix="", pixels=None, **changes):
    """Writes a directory as transformers does; a value None leaves a setting out.

    Args:
        folder: A directory.
        name: One of `MODELS`.
        prefix: Before the names of its tensors.
        pixels: Changes to `preprocessor_config.json`.
        **changes: To `config.json`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config, scaling = MODELS[name]
    for file, content in (
        ("config.json", config | changes),
        ("preprocessor_config.json", scaling | (pixels or {})),
    ):
        kept = {key: value for key, value in content.items() if value is not None}
        (folder / file).write_text(json.dumps(kept))
    tensors = {key: made_up(key, shape) for key, shape in shapes(config, prefix).items()}
    (folder / "model.safetensors").write_bytes(safetensors_bytes(tensors))
    return folder
