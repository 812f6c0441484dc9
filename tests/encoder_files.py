"""Directories of tiny encoders for tests, and what BERT computes, in NumPy alone."""

import importlib.util
import json
import math
import unicodedata

import h5py
import numpy as np
import pytest
from timm_files import made_up, safetensors_bytes

needs_encoders = pytest.mark.skipif(
    importlib.util.find_spec("keras_hub") is None, reason="needs pip install '.[kerashub]'"
)

_WORDS = """
    the film was a story of people in town and it had some scenes with music
    great love ##ly super ##b boring aw ##ful dull ter ##rible un ##able cafe
"""
PIECES = [*"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz")]
SIGNS = [*"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "é", "\u4eac", "\N{PILE OF POO}"]
TOKENS = list(
    dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_WORDS.split(), *PIECES, *SIGNS])
)

BERT = {
    "model_type": "bert",
    "vocab_size": len(TOKENS) + 3,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 40,
    "type_vocab_size": 2,
}

DISTILBERT = {
    "model_type": "distilbert",
    "vocab_size": len(TOKENS) + 3,
    "dim": 16,
    "n_layers": 2,
    "n_heads": 2,
    "hidden_dim": 24,
    "activation": "gelu",
    "dropout": 0.1,
    "attention_dropout": 0.1,
    "max_position_embeddings": 40,
}

CONFIGS = {"bert": BERT, "distilbert": DISTILBERT}

UNCASED = {"do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True}


def shapes(config, prefix=""):
    """Returns the shapes of the tensors of an encoder by name."""
    is_bert = config["model_type"] == "bert"
    names = ("hidden_size", "num_hidden_layers", "intermediate_size")
    width, blocks, hidden = (
        config[n] for n in (names if is_bert else ("dim", "n_layers", "hidden_dim"))
    )
    found = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], width),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], width),
        "embeddings.LayerNorm.weight": (width,),
        "embeddings.LayerNorm.bias": (width,),
    }
    if is_bert:
        found["embeddings.token_type_embeddings.weight"] = (config["type_vocab_size"], width)
    bert = {
        "attention": ["attention.self.query", "attention.self.key", "attention.self.value"],
        "out": "attention.output.dense",
        "norms": ["attention.output.LayerNorm", "output.LayerNorm"],
        "dense": ["intermediate.dense", "output.dense"],
        "block": "encoder.layer",
    }
    distilbert = {
        "attention": ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
        "out": "attention.out_lin",
        "norms": ["sa_layer_norm", "output_layer_norm"],
        "dense": ["ffn.lin1", "ffn.lin2"],
        "block": "transformer.layer",
    }
    parts = bert if is_bert else distilbert
    for number in range(blocks):
        place = f"{parts['block']}.{number}."
        for name in (*parts["attention"], parts["out"]):
            found |= {f"{place}{name}.weight": (width, width), f"{place}{name}.bias": (width,)}
        for name in parts["norms"]:
            found |= {f"{place}{name}.weight": (width,), f"{place}{name}.bias": (width,)}
        first, second = parts["dense"]
        found |= {f"{place}{first}.weight": (hidden, width), f"{place}{first}.bias": (hidden,)}
        found |= {f"{place}{second}.weight": (width, hidden), f"{place}{second}.bias": (width,)}
    return {prefix + name: shape for name, shape in found.items()}


def tensors(config, prefix=""):
    """Returns the made-up tensors of an encoder by name."""
    return {name: made_up(name, shape) for name, shape in shapes(config, prefix).items()}


def encoder_directory(folder, name="bert", *, mean=False, prefix="", tokenizer=None, **changes):
    """Writes the directory of an encoder as transformers does; settings of None are left out."""
    config = {key: x for key, x in {**CONFIGS[name], **changes}.items() if x is not None}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in TOKENS), "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({**UNCASED, **(tokenizer or {})}))
    kept = tensors(CONFIGS[name], prefix)
    (folder / "model.safetensors").write_bytes(safetensors_bytes(kept))
    if mean:
        (folder / "1_Pooling").mkdir(exist_ok=True)
        pooling = {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
        (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 20}))
    return folder


def bert_features(config, values, ids, *, mean=True, approximate=False):
    """Returns what BERT makes of the ids of one text without padding, in float64.

    Args:
        config: Of BERT, as transformers writes it.
        values: Tensors by name.
        ids: Ids, both ends included.
        mean: Whether the mean over the tokens is wanted, else the first token.
        approximate: Whether GELU is computed by the hyperbolic tangent.
    """
    values = {name: np.asarray(value, "float64") for name, value in values.items()}
    heads = config["num_attention_heads"]

    def dense(x, name):
        return x @ values[f"{name}.weight"].T + values[f"{name}.bias"]

    def norm(x, name):
        centered = x - x.mean(axis=-1, keepdims=True)
        scaled = centered / np.sqrt((centered**2).mean(axis=-1, keepdims=True) + 1e-12)
        return scaled * values[f"{name}.weight"] + values[f"{name}.bias"]

    def gelu(x):
        if approximate:
            return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))

    x = values["embeddings.word_embeddings.weight"][ids]
    x = x + values["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x + values["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for number in range(config["num_hidden_layers"]):
        place = f"encoder.layer.{number}."
        query, key, value = (
            np.stack(np.split(dense(x, f"{place}attention.self.{part}"), heads, axis=-1))
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        found = np.concatenate(list(weights @ value), axis=-1)
        found = dense(found, f"{place}attention.output.dense")
        x = norm(x + found, f"{place}attention.output.LayerNorm")
        inner = gelu(dense(x, f"{place}intermediate.dense"))
        x = norm(x + dense(inner, f"{place}output.dense"), f"{place}output.LayerNorm")
    return x.mean(axis=0) if mean else x[0]


def word_piece(text, tokens=TOKENS, *, lowercase=True, strip_accents=True):
    """Returns the ids of a text by a plain WordPiece, character by character, without both ends.

    Bytes that are not UTF-8 are lone surrogates in the text, as Python decodes them. A text ends at
    a NUL.
    """
    text, _, _ = text.partition("\0")
    ids = {token: number for number, token in enumerate(tokens)}
    found = []
    for word in _words(text, strip_accents):
        word = word.casefold() if lowercase else word
        found += _pieces(word, ids)
    return found


def _words(text, strip_accents):
    """Yields words and signs."""
    text = "".join(f" {c} " if _is_chinese(ord(c)) else c for c in text)
    if strip_accents:
        text = "".join(
            c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn"
        )
    word = ""
    for c in text:
        is_space = c in " \t\n\r\f" or unicodedata.category(c) in ("Cc", "Cf")
        is_sign = unicodedata.category(c)[0] == "P" or (
            c.isascii() and c.isprintable() and not c.isalnum() and c != " "
        )
        if is_space or is_sign or _is_chinese(ord(c)):
            if word:
                yield word
            word = ""
            if not is_space:
                yield c
        else:
            word += c
    if word:
        yield word


def _is_chinese(c):
    ranges = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F))
    ranges += ((0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))
    return any(first <= c <= last for first, last in ranges)


def _pieces(word, ids):
    """Returns the longest pieces of a word, from its start; unknown where there are none."""
    if len(word.encode("utf-8", "surrogateescape")) > 100:
        return [ids["[UNK]"]]
    found, start = [], 0
    while start < len(word):
        mark = "##" if start else ""
        end = next(
            (end for end in range(len(word), start, -1) if mark + word[start:end] in ids), None
        )
        if end is None:
            return [ids["[UNK]"]]
        found.append(ids[mark + word[start:end]])
        start = end
    return found


def tokenizer_table():
    """Returns the content of a `tokenizer.json`, as the package tokenizers writes it."""
    return {
        "normalizer": {
            "type": "BertNormalizer",
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "vocab": {token: number for number, token in enumerate(TOKENS)},
        },
    }


PRESET = {
    "vocabulary_size": len(TOKENS) + 3,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 24,
    "dropout": 0.2,
    "max_sequence_length": 40,
}


def preset_directory(folder, name="Bert", **changes):
    """Writes the preset of an encoder as KerasHub does, with made-up arrays."""
    (folder / "assets" / "tokenizer").mkdir(parents=True)
    config = PRESET | ({"num_segments": 2} if name == "Bert" else {}) | changes
    (folder / "config.json").write_text(
        json.dumps({"class_name": f"{name}Backbone", "config": config | {"trainable": True}})
    )
    settings = {"lowercase": True, "strip_accents": False, "split": True}
    settings |= {"suffix_indicator": "##", "oov_token": "[UNK]"}
    (folder / "tokenizer.json").write_text(
        json.dumps({"class_name": f"{name}Tokenizer", "config": settings})
    )
    tokens = "".join(f"{token}\n" for token in TOKENS)
    (folder / "assets" / "tokenizer" / "vocabulary.txt").write_text(tokens, "utf-8")
    with h5py.File(folder / "model.weights.h5", "w") as file:
        for place, shape in preset_shapes(name).items():
            file[f"layers/{place}"] = made_up(place.replace("/", "."), shape)
    return folder


def preset_shapes(name):
    """Returns the shapes of the arrays in the file of a preset by name."""
    width, heads, hidden = (PRESET[one] for one in ("hidden_dim", "num_heads", "intermediate_dim"))
    tokens, positions = PRESET["vocabulary_size"], PRESET["max_sequence_length"]
    found = {"layer_normalization/vars/0": (width,), "layer_normalization/vars/1": (width,)}
    if name == "Bert":
        found |= {"dense/vars/0": (width, width), "dense/vars/1": (width,)}
        found |= {"embedding/vars/0": (2, width), "position_embedding/vars/0": (positions, width)}
        found["reversible_embedding/vars/0"] = (tokens, width)
    else:
        place = "token_and_position_embedding"
        found[f"{place}/position_embedding/vars/0"] = (positions, width)
        found[f"{place}/token_embedding/vars/0"] = (tokens, width)
    for number in range(PRESET["num_layers"]):
        block = f"transformer_encoder{f'_{number}' if number else ''}/"
        for part in ("query", "key", "value"):
            found[f"{block}_self_attention_layer/{part}_dense/vars/0"] = (
                width,
                heads,
                width // heads,
            )
            found[f"{block}_self_attention_layer/{part}_dense/vars/1"] = (heads, width // heads)
        found[f"{block}_self_attention_layer/output_dense/vars/0"] = (heads, width // heads, width)
        found[f"{block}_self_attention_layer/output_dense/vars/1"] = (width,)
        for norm in ("_self_attention_layer_norm", "_feedforward_layer_norm"):
            found |= {f"{block}{norm}/vars/{place}": (width,) for place in (0, 1)}
        found[f"{block}_feedforward_intermediate_dense/vars/0"] = (width, hidden)
        found[f"{block}_feedforward_intermediate_dense/vars/1"] = (hidden,)
        found[f"{block}_feedforward_output_dense/vars/0"] = (hidden, width)
        found[f"{block}_feedforward_output_dense/vars/1"] = (width,)
    return found
