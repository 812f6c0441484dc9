"""Rules that decide the open settings of a fit on texts.

Pure functions: no TensorFlow, no files, no randomness. "Measured" means on IMDB; see docs/text.md.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from tfxfer.config.decided import (
    DecidedFinetune,
    DecidedText,
    DecidedTextFit,
    DecidedTextPretrain,
    GradientHead,
    SolvedHead,
    decided_head,
    filled,
)
from tfxfer.config.schema import FitConfig, PretrainConfig
from tfxfer.text.models.backbones import OWN_WEIGHTS, TextBackbone
from tfxfer.text.models.encoders.record import NUM_ENDS

# Below this number of texts, epochs are cheap and there are few steps in each.
_FEW_TEXTS = 2_000

# Six of seven reviews of IMDB have fewer words.
_MAX_WORDS = 400

_VOCABULARY = 20_000


@dataclass(frozen=True)
class TextFacts:
    """The facts that the rules use.

    Attributes:
        num_train: Number of training texts.
        longest: Words of the longest training text.
        backbone: The record of the backbone.
        pretrained: The settings of a pretrained backbone; None for random weights.
        vector_dimensions: Dimensions of the given word vectors; None without any.
        usual: Tokens of an encoder that nine of ten training texts do not exceed.
    """

    num_train: int
    longest: int
    backbone: TextBackbone
    pretrained: DecidedText | None = None
    vector_dimensions: int | None = None
    usual: int = 1


def decide_text(config: FitConfig, facts: TextFacts) -> DecidedTextFit:
    """Returns the settings of a fit with open ones decided. Settings of the user are kept."""
    pretrained = facts.pretrained is not None or facts.backbone.encoder is not None
    finetune = filled(DecidedFinetune, config.finetune, _finetune(facts))
    if finetune.unfreeze == "none":
        finetune = finetune.left_out("none")
    # A head with hidden layers cannot be solved; it is trained with the backbone.
    solved = pretrained and not config.head.hidden_units
    head: dict[str, Any] = {"epochs": 100 if solved else 0, "dropout": 0.2}
    kind: type[SolvedHead] | type[GradientHead] = SolvedHead
    if config.head.hidden_units:
        kind = GradientHead
        head |= {"optimizer": "adamw", "learning_rate": finetune.learning_rate}
        head |= {"warmup_epochs": 0.0, "weight_decay": 0.0, "clip_norm": 0.0}
    else:
        head["optimizer"] = "lbfgs"
    sections = dataclasses.replace(
        config,
        weights=config.weights or ("none" if facts.backbone.encoder is None else OWN_WEIGHTS),
        text=_text(config, facts),
        head=filled(kind, config.head, head),
        finetune=finetune,
        **_ARITHMETIC,
    )
    return filled(DecidedTextFit, sections, _common(facts))


def decide_text_pretraining(config: PretrainConfig, facts: TextFacts) -> DecidedTextPretrain:
    """Returns the settings of a pretraining; it is trained as a fit from random weights is."""
    wanted = {key: value for key, value in _finetune(facts).items() if key in _OF_A_PHASE}
    sections = dataclasses.replace(config, text=_text(config, facts), **_ARITHMETIC)
    return filled(DecidedTextPretrain, sections, wanted | _common(facts))


# Half precision is slower on a CPU, XLA compiles each length anew, and adding up the gradients of
# several devices takes longer than a step.
_ARITHMETIC: dict[str, Any] = {"precision": "float32", "xla": "off", "devices": "1"}

_OF_A_PHASE = (
    *("optimizer", "weight_decay", "clip_norm", "epochs", "learning_rate", "warmup_epochs"),
)


def _common(facts: TextFacts) -> dict[str, Any]:
    """Returns batch size and label smoothing."""
    return {"batch_size": 32 if facts.num_train < _FEW_TEXTS else 64, "label_smoothing": 0.0}


def _text(config: FitConfig | PretrainConfig, facts: TextFacts) -> DecidedText:
    """Returns the words and layers: those of a pretrained backbone, else the backbone's own."""
    if facts.pretrained is not None:
        return dataclasses.replace(facts.pretrained, encoding=config.text.encoding)
    backbone, encoder = facts.backbone, facts.backbone.encoder
    if encoder is not None:
        # Attention costs time and memory with the square of the length.
        most = min(encoder.most_words, encoder.max_tokens - NUM_ENDS)
        choices = {
            "max_words": max(1, min(most, facts.usual)),
            "vocabulary": max(10, encoder.vocabulary_size),
            "dimensions": encoder.hidden_dim,
            "units": encoder.hidden_dim,
            "dropout": encoder.dropout,
        }
        return filled(DecidedText, config.text, choices)
    own = facts.vector_dimensions or backbone.dimensions
    dimensions = config.text.dimensions or own
    choices = {
        "max_words": max(1, min(_MAX_WORDS, facts.longest)),
        "vocabulary": _VOCABULARY,
        "dimensions": own,
        "units": backbone.units if backbone.has_units else dimensions,
        "dropout": backbone.dropout,
    }
    return filled(DecidedText, config.text, choices)


def _finetune(facts: TextFacts) -> dict[str, Any]:
    """Returns the settings of the phase that trains the backbone.

    AdamW with the gradient norm clipped at 1, as for images. From random weights the learning rate
    and the epochs are the backbone's own. With few texts there are more epochs, as each has few
    steps. A pretrained backbone is trained as long, at a third of the learning rate; that of an
    encoder is for pretrained weights already.
    """
    backbone = facts.backbone
    few = facts.num_train < _FEW_TEXTS
    scale = 1.0 if facts.pretrained is None or backbone.encoder is not None else 1 / 3
    return {
        "optimizer": "adamw",
        "weight_decay": 1e-4,
        "clip_norm": 1.0,
        "unfreeze": "all",
        "ema": 0.0,
        "echo": 1,
        "batch_norm": "frozen",
        "epochs": backbone.epochs * (_of_few(backbone) if few else 1),
        "learning_rate": float(f"{backbone.learning_rate * scale:.1g}"),
        "warmup_epochs": 0.5,
    }


def _of_few(backbone: TextBackbone) -> int:
    """Returns how many times as many epochs there are with few texts.

    Those of an encoder cost a hundred times as much.
    """
    return 4 if backbone.encoder is None else 2


def decided_text_fit(config: FitConfig) -> DecidedTextFit:
    """Returns the settings of a run as decided settings.

    Raises:
        UsageError: One of them is open.
    """
    sections = dataclasses.replace(
        config,
        text=filled(DecidedText, config.text, {}),
        head=decided_head(config.head, {}),
        finetune=filled(DecidedFinetune, config.finetune, {"echo": 1}),
    )
    return filled(DecidedTextFit, sections, {})
