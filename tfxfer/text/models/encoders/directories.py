"""Reading the directory of an encoder: of Hugging Face's transformers, or a preset of KerasHub.

The files may come from a stranger: settings are checked one by one, and nothing is deserialized.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

from tfxfer.errors import UsageError
from tfxfer.models.foreign.tables import read_json, read_license
from tfxfer.models.presets.settings import checked_settings
from tfxfer.text.models.encoders.record import SETTINGS, Encoder, checked_encoder
from tfxfer.text.models.encoders.vocabulary import (
    preset_normalization,
    transformers_normalization,
)

CONFIG = "config.json"
TRANSFORMERS_WEIGHTS, PRESET_WEIGHTS = "model.safetensors", "model.weights.h5"

_CLASSES = {"BertBackbone": "bert", "DistilBertBackbone": "distilbert"}

# What transformers calls the settings.
_BERT = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "epsilon": "layer_norm_eps",
    "num_segments": "type_vocab_size",
}
_DISTILBERT = {
    "vocabulary_size": "vocab_size",
    "num_layers": "n_layers",
    "num_heads": "n_heads",
    "hidden_dim": "dim",
    "intermediate_dim": "hidden_dim",
    "max_sequence_length": "max_position_embeddings",
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
}
_NAMES = {"bert": _BERT, "distilbert": _DISTILBERT}

_DEFAULTS = {"dropout": 0.1, "attention_dropout": 0.1, "epsilon": 1e-12, "num_segments": 2}

# Settings under which a network is another one, with the value that they must have.
_EXPECTED: dict[str, dict[str, Any]] = {
    "bert": {"hidden_act": "gelu", "position_embedding_type": "absolute", "is_decoder": False},
    "distilbert": {"activation": "gelu"},
}

# What presets do not say: KerasHub has one rate for both kinds of dropout.
_FIXED = ("attention_dropout", "epsilon")

# Encoders of texts that cannot be used, to tell them from networks for images.
_OTHERS = (
    *("albert", "camembert", "deberta", "deberta-v2", "electra", "fnet", "modernbert", "mpnet"),
    *("nomic_bert", "roberta", "xlm-roberta", "roformer", "t5"),
    *("AlbertBackbone", "DebertaV3Backbone", "ElectraBackbone", "FNetBackbone"),
    *("ModernBertBackbone", "RobertaBackbone", "XLMRobertaBackbone", "RoformerV2Backbone"),
    "T5Backbone",
)


def kind_of(folder: pathlib.Path) -> str | None:
    """Returns what network of texts a directory holds, a model type or a class; None for others."""
    try:
        config = read_json(folder / CONFIG)
    except UsageError:
        return None
    found = config.get("class_name", config.get("model_type"))
    known = (*_CLASSES, *_NAMES, *_OTHERS)
    return found if isinstance(found, str) and found in known else None


def read_encoder(folder: pathlib.Path) -> Encoder:
    """Returns the record of the encoder in a directory.

    Raises:
        UsageError: It is no encoder, one that cannot be used, or files are missing.
    """
    path = folder / CONFIG
    config = read_json(path)
    kind = kind_of(folder)
    if kind in _CLASSES:
        found = _read_preset(folder, config, _CLASSES[kind])
    elif kind in _NAMES:
        found = _read_transformers(folder, config, kind)
    else:
        what = config.get("class_name", config.get("model_type"))
        raise UsageError(
            f"'{path}' is of the network {what!r:.60}, which is no encoder of texts that can be "
            f"used. Those are the model types {', '.join(_NAMES)} of transformers, and "
            f"{', '.join(_CLASSES)} of KerasHub."
        )
    _check_weights(folder / weights_name(found), found.num_parameters)
    return found


def weights_name(encoder: Encoder) -> str:
    """Returns the name of the file of an encoder's weights."""
    return PRESET_WEIGHTS if encoder.is_preset else TRANSFORMERS_WEIGHTS


def _read_preset(folder: pathlib.Path, config: Mapping[str, Any], family: str) -> Encoder:
    where = f"'{folder / CONFIG}'"
    kinds = {name: kind for name, kind in SETTINGS.items() if name not in _FIXED}
    settings = checked_settings(config.get("config"), kinds, _DEFAULTS, where)
    settings["attention_dropout"] = settings["dropout"]
    lowercase, strip_accents = preset_normalization(folder)
    return checked_encoder(
        where,
        settings,
        folder=str(folder),
        family=family,
        is_preset=True,
        approximate=family == "bert",  # as KerasHub computes it
        mean=False,
        lowercase=lowercase,
        strip_accents=strip_accents,
        license=_license(folder),
    )


def _read_transformers(folder: pathlib.Path, config: Mapping[str, Any], family: str) -> Encoder:
    path = folder / CONFIG
    for name, value in _EXPECTED[family].items():
        found = config.get(name, value)
        if found != value:
            raise UsageError(
                f"'{path}' has {found!r:.60} for '{name}'; only encoders with {value!r} can be "
                "used."
            )
    names = _NAMES[family]
    for name in names.values():
        if name not in config and name not in _optional(names):
            raise UsageError(f"'{path}' lacks the setting '{name}' of its network.")
    given = {ours: config[name] for ours, name in names.items() if name in config}
    settings = checked_settings(given, SETTINGS, _DEFAULTS, f"'{path}'")
    lowercase, strip_accents = transformers_normalization(folder)
    return checked_encoder(
        f"'{path}'",
        settings,
        folder=str(folder),
        family=family,
        is_preset=False,
        approximate=False,
        mean=_takes_mean(folder),
        lowercase=lowercase,
        strip_accents=strip_accents,
        license=_license(folder),
        **_sentence_length(folder),
    )


def _optional(names: Mapping[str, str]) -> set[str]:
    """Returns the settings, by their names in a file, that have defaults."""
    return {names[one] for one in _DEFAULTS if one in names}


def _takes_mean(folder: pathlib.Path) -> bool:
    """Tells whether an encoder was trained on the mean over its tokens.

    Sentence Transformers write it beside the encoder.
    """
    path = folder / "1_Pooling" / CONFIG
    return path.is_file() and read_json(path).get("pooling_mode_mean_tokens") is True


def _sentence_length(folder: pathlib.Path) -> dict[str, int]:
    """Returns `max_tokens`, where Sentence Transformers say it."""
    path = folder / "sentence_bert_config.json"
    found = read_json(path).get("max_seq_length") if path.is_file() else None
    return {"max_tokens": found} if isinstance(found, int) and found > 0 else {}


def _license(folder: pathlib.Path) -> str:
    found = read_license(folder)
    if found is None:
        return f"unknown, see where '{folder.name}' is from"
    return f"{found} (says its README.md)"


def _check_weights(path: pathlib.Path, num_parameters: int) -> None:
    """Raises a UsageError if there are no weights, or too few for the network."""
    if not path.is_file():
        others = sorted(one.name for one in path.parent.glob("pytorch_model*"))
        hint = f" '{others[0]}' is not read, as it could run code." if others else ""
        raise UsageError(
            f"'{path.parent}' has no weights '{path.name}'.{hint} Copy the whole directory, or "
            "save the model there."
        )
    # At least two bytes each, as bfloat16.
    if path.stat().st_size < 2 * num_parameters:
        raise UsageError(
            f"'{path}' is too small for the {num_parameters:,} parameters of the network in "
            f"'{CONFIG}'. The directory is corrupt."
        )
