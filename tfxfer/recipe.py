"""What the user left open, decided by the size of the data and of the images.

Pure rules: no TensorFlow, no files, the same answer every time. Each number has its source beside
it; "measured" means `benchmarks/README.md`.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from tfxfer.config import FitConfig

# Below this side an image is "small" (BiT-HyperRule, Kolesnikov et al. 2020, arXiv:1912.11370,
# section 3.3: area under 96 x 96) and is upsampled to 128 pixels, as there.
_SMALL_IMAGE = 96
_UPSAMPLED = 128

# Up to here only the backbone's last resolution is fine-tuned by default.
_FEW_IMAGES = 2_000


@dataclass(frozen=True)
class Facts:
    """What the rules look at.

    Attributes:
        num_train: Training images.
        side: Shorter side of a typical image in pixels; the longer one is cropped.
        mirrored: Whether a mirrored image keeps its label.
        native_size: Pixels the backbone was pretrained at.
        min_size: Fewest pixels the backbone takes.
        last_resolution: First stage that works at the backbone's lowest resolution.
    """

    num_train: int
    side: int
    mirrored: bool
    native_size: int
    min_size: int
    last_resolution: str


def decide(config: FitConfig, facts: Facts) -> FitConfig:
    """Returns the settings with every rule-made one decided; what the user set stays."""
    image_size = config.image_size or _image_size(facts)
    batch_size = config.batch_size or _batch_size(facts.num_train)
    pretrained = config.weights != "none"
    decided = dataclasses.replace(
        config,
        image_size=image_size,
        input_size=config.input_size or _input_size(facts, image_size),
        batch_size=batch_size,
        label_smoothing=0.0 if config.label_smoothing is None else config.label_smoothing,
        head=_fill(config.head, _head(facts, pretrained)),
        finetune=_fill(config.finetune, _finetune(facts, pretrained)),
        augment=_fill(config.augment, _augment(facts)),
    )
    if decided.finetune.unfreeze == "none":
        return dataclasses.replace(
            decided, finetune=dataclasses.replace(decided.finetune, epochs=0)
        )
    return decided


def _fill(record: Any, choices: dict[str, Any]) -> Any:
    """Returns a section of the settings with its open values taken from the choices."""
    missing = {name: value for name, value in choices.items() if getattr(record, name) is None}
    return dataclasses.replace(record, **missing)


def _image_size(facts: Facts) -> int:
    """Returns the pixels the backbone sees: its native size, or less where the images are less.

    Training far below the native size costs accuracy; going far above the images' own size costs
    time and adds nothing. Photographs smaller than 224 pixels are still shown at 224 where that is
    native.
    """
    wanted = _UPSAMPLED if facts.side < _SMALL_IMAGE else max(224, -(-facts.side // 32) * 32)
    return max(min(facts.native_size, wanted), facts.min_size)


def _input_size(facts: Facts, image_size: int) -> int:
    """Returns the pixels that travel to the model.

    Images of at most two thirds of `image_size` travel as they are and are upsampled in the model.
    """
    return facts.side if 3 * facts.side <= 2 * image_size else image_size


def _batch_size(num_train: int) -> int:
    """Returns images per step: fewer for few images, so that an epoch has steps enough."""
    if num_train < 2_000:
        return 32
    return 64 if num_train < 20_000 else 128


def _head(facts: Facts, pretrained: bool) -> dict[str, Any]:
    """Returns the head phase: long, as it runs on features computed once, except from scratch."""
    if not pretrained:
        # A head on random features is no better a start than zero logits.
        epochs = 0
    elif facts.num_train < 2_000:
        epochs = 30
    else:
        epochs = 20 if facts.num_train < 20_000 else 10
    return {
        "epochs": epochs,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "warmup_epochs": 0.0,
        "weight_decay": 0.0,
        "clip_norm": 0.0,
        "dropout": 0.2,
    }


def _finetune(facts: Facts, pretrained: bool) -> dict[str, Any]:
    """Returns the finetune phase."""
    few = facts.num_train < _FEW_IMAGES
    if not pretrained:
        return {
            "unfreeze": "all",
            "batch_norm": "adapt",
            "epochs": 30 if few else 20,
            "optimizer": "adamw",
            "learning_rate": 1e-3,
            "warmup_epochs": 1.0,
            "weight_decay": 1e-4,
            "clip_norm": 1.0,
        }
    return {
        "unfreeze": facts.last_resolution if few else "all",
        "batch_norm": "frozen",
        "epochs": 8 if few else 5,
        "optimizer": "adamw",
        "learning_rate": 1e-4,
        "warmup_epochs": 0.5,
        "weight_decay": 1e-4,
        "clip_norm": 1.0,
    }


def _augment(facts: Facts) -> dict[str, Any]:
    """Returns light augmentation."""
    return {"flip": facts.mirrored, "shift": 0.1, "zoom": 0.1, "rotation": 10.0}
