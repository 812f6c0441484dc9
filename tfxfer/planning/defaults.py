"""What the user left open, decided by the size of the data and of the images.

Pure rules: no TensorFlow, no files, the same answer every time. Each number has its source beside
it; "measured" means `benchmarks/README.md`.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from tfxfer.config.decided import (
    DecidedAugment,
    DecidedFinetune,
    DecidedFit,
    DecidedPretrain,
    GradientHead,
    SolvedHead,
    filled,
)
from tfxfer.config.schema import GRADIENT_SETTINGS, FitConfig, HeadConfig, PretrainConfig

# Below this side an image is "small" (BiT-HyperRule, Kolesnikov et al. 2020, arXiv:1912.11370,
# section 3.3: area under 96 x 96) and is upsampled to 128 pixels, as there.
_SMALL_IMAGE = 96

_UPSAMPLED = 128

# Below _FEW_IMAGES only the backbone's last resolution is fine-tuned. BiT-HyperRule's classes of
# data size begin at 20,000.
_FEW_IMAGES = 2_000

_MANY_IMAGES = 20_000

# Products of images, features and classes in one pass of L-BFGS over the training images: 0.1 s on
# one core. All of CIFAR-10 with 1,280 features is just above the half of it.
_SOLVABLE = 10**9


@dataclass(frozen=True)
class Facts:
    """What the rules look at.

    Attributes:
        num_train: Training images.
        num_validation: Validation images.
        num_classes: Classes of the data.
        num_features: Channels of the backbone's last feature map.
        side: Shorter side of a typical image in pixels; the longer one is cropped.
        mirrored: Whether a mirrored image keeps its label.
        native_size: Pixels the backbone was pretrained at.
        min_size: Fewest pixels the backbone takes.
        last_resolution: First stage that works at the backbone's lowest resolution.
        weights_name: What the backbone calls its own weights.
    """

    num_train: int
    num_validation: int
    num_classes: int
    num_features: int
    side: int
    mirrored: bool
    native_size: int
    min_size: int
    last_resolution: str
    weights_name: str


def decide(config: FitConfig, facts: Facts) -> DecidedFit:
    """Returns the settings of a fit with every rule-made one decided; what the user set stays.

    Examples:
        Few photos fine-tune only the last stage; a setting of the user stays:

        >>> facts = Facts(
        ...     num_train=1_000,
        ...     num_validation=200,
        ...     num_classes=5,
        ...     num_features=2_048,
        ...     side=300,
        ...     mirrored=True,
        ...     native_size=224,
        ...     min_size=32,
        ...     last_resolution="conv5",
        ...     weights_name="imagenet",
        ... )
        >>> decided = decide(FitConfig(batch_size=16), facts)
        >>> decided.finetune.unfreeze, decided.image_size, decided.batch_size
        ('conv5', 224, 16)
    """
    image_size = config.image_size or _image_size(facts)
    weights = config.weights or facts.weights_name
    pretrained = weights != "none"
    head = _head(config, facts, pretrained)
    finetune = filled(DecidedFinetune, config.finetune, _finetune(facts, pretrained))
    if finetune.unfreeze == "none":
        finetune = dataclasses.replace(finetune, epochs=0)
    sections = dataclasses.replace(
        config,
        weights=weights,
        head=filled(
            SolvedHead if head["optimizer"] == "lbfgs" else GradientHead, config.head, head
        ),
        finetune=finetune,
        augment=filled(DecidedAugment, config.augment, _augment(facts)),
    )
    choices = {
        "image_size": image_size,
        "input_size": _input_size(facts, image_size),
        "batch_size": _batch_size(facts.num_train),
        "label_smoothing": 0.0,
    }
    return filled(DecidedFit, sections, choices)


def decide_pretraining(config: PretrainConfig, facts: Facts) -> DecidedPretrain:
    """Returns the settings of a pretraining likewise; images are shown at the size `fit` chooses.

    SGD with a momentum of 0.9 at 0.1 for batches of 128, crops that move by an eighth of the side,
    and flips are He et al.'s (2015, arXiv:1512.03385, section 4.2); the rate in proportion to the
    batch is Goyal et al.'s (2017, arXiv:1706.02677). The weight decay is Zagoruyko & Komodakis'
    (2016, arXiv:1605.07146), 5e-4 of the loss: under a momentum of 0.9 that moves the weights as
    far as ten times as much decoupled from it.

    Examples:
        The learning rate is in proportion to the batch size:

        >>> facts = Facts(1_000, 200, 5, 2_048, 300, True, 224, 32, "conv5", "imagenet")
        >>> decide_pretraining(PretrainConfig(batch_size=64), facts).learning_rate
        0.05
    """
    image_size = config.image_size or _image_size(facts)
    batch_size = config.batch_size or _batch_size(facts.num_train)
    with_sgd = config.optimizer == "sgd"
    choices = {
        "image_size": image_size,
        "input_size": _input_size(facts, image_size),
        "batch_size": batch_size,
        "label_smoothing": 0.1,
        "epochs": 100 if facts.num_train < _MANY_IMAGES else 30,
        "learning_rate": 0.1 * batch_size / 128 if with_sgd else 1e-3,
        "warmup_epochs": 1.0,
        "weight_decay": 5e-3 if with_sgd else 0.05,
        "clip_norm": 0.0,
    }
    augment = {"flip": facts.mirrored, "shift": 0.125, "zoom": 0.0, "rotation": 0.0}
    changes = filled(DecidedAugment, config.augment, augment)
    return filled(DecidedPretrain, dataclasses.replace(config, augment=changes), choices)


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
    """Returns images per step: the usual 32 for few images, so that an epoch has steps enough.

    Up to 128 for many, as in AutoGluon MultiModal's default; BiT's 512 asks for more memory than a
    laptop has.
    """
    if num_train < _FEW_IMAGES:
        return 32
    return 64 if num_train < _MANY_IMAGES else 128


def _head(config: FitConfig, facts: Facts, pretrained: bool) -> dict[str, Any]:
    """Returns the head phase: long, as it runs on features that are computed once.

    A linear head is solved by L-BFGS while a pass over the features is cheap; a hundred iterations
    are scikit-learn's limit, and seldom reached. Otherwise Adam at 1e-3 and a dropout of 0.2 are
    the Keras guide's (keras.io/guides/transfer_learning); the rate and the dropout hardly matter
    for a head that is trained to its end (measured).
    """
    few, many = facts.num_train < _FEW_IMAGES, facts.num_train >= _MANY_IMAGES
    solvable = _is_solvable(config.head, config.memory_bytes, facts)
    optimizer = config.head.optimizer or ("lbfgs" if solvable else "adam")
    epochs = 100 if optimizer == "lbfgs" else 30 if few else 10 if many else 20
    choices = {
        # A head on random features is no better a start than zero logits.
        "epochs": epochs if pretrained else 0,
        "optimizer": optimizer,
        "dropout": 0.2,
    }
    if optimizer == "lbfgs":
        return choices
    gradient = {"learning_rate": 1e-3, "warmup_epochs": 0.0, "weight_decay": 0.0, "clip_norm": 0.0}
    return choices | gradient


def _is_solvable(head: HeadConfig, memory_bytes: float, facts: Facts) -> bool:
    """Tells whether L-BFGS suits a head for which no optimizer was chosen."""
    # Who sets a rate means a method that has one.
    for_gradients = any(getattr(head, name) is not None for name in GRADIENT_SETTINGS)
    # What flattening gives depends on the size, and is always much.
    num_features = {"average": 1, "max": 1, "both": 2}.get(head.pooling, 0) * facts.num_features
    num_train = facts.num_train * (1 + head.augmented_views)
    most = max(num_train, facts.num_validation)
    fits = 4 * most * num_features <= memory_bytes  # float32
    cheap = 0 < num_train * facts.num_classes * num_features <= _SOLVABLE
    return fits and cheap and not head.hidden_units and not for_gradients


def _finetune(facts: Facts, pretrained: bool) -> dict[str, Any]:
    """Returns the finetune phase: gentle where the images are few.

    AdamW at 1e-4 with a gradient norm of at most 1 are AutoGluon MultiModal's defaults (Tang et al.
    2024, arXiv:2404.16233). Few images are fine-tuned at 3e-5 and only in the last stages: on ants
    and bees and on five flowers 1e-4 makes the validation loss worse from the first epoch on, where
    3e-5 makes it better (measured). Cosine decay after a warm-up is He et al.'s (2019,
    arXiv:1812.01187, sections 3.1 and 5.1).

    A network for small images is small itself, learnt from small data, and costs little: all of it
    is trained, for longer and at a higher rate (measured on 1,000 images of CIFAR-10).
    """
    few = facts.num_train < _FEW_IMAGES
    common = {"optimizer": "adamw", "weight_decay": 1e-4, "clip_norm": 1.0}
    if not pretrained:
        return common | {
            "unfreeze": "all",
            "batch_norm": "adapt",
            "epochs": 30 if few else 20,
            "learning_rate": 1e-3,  # AdamW's own default, for weights that are not to be kept
            "warmup_epochs": 1.0,
        }
    if facts.native_size < _SMALL_IMAGE:
        return common | {
            "unfreeze": "all",
            "batch_norm": "frozen",
            "epochs": 20 if few else 10,
            "learning_rate": 3e-4,
            "warmup_epochs": 1.0,
        }
    return common | {
        "unfreeze": facts.last_resolution if few else "all",
        "batch_norm": "frozen",
        "epochs": 5,
        "learning_rate": 3e-5 if few else 1e-4,
        "warmup_epochs": 0.5,
    }


def _augment(facts: Facts) -> dict[str, Any]:
    """Returns light augmentation: less than what an object's pose and place vary anyway.

    Photographs are not turned: that doubles what augmentation costs, and on ants and bees and on
    five flowers it changes nothing; on CIFAR-10 it lowers the loss a little (measured).
    """
    rotation = 10.0 if facts.side < _SMALL_IMAGE else 0.0
    return {"flip": facts.mirrored, "shift": 0.1, "zoom": 0.1, "rotation": rotation}
