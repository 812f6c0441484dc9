"""Rules that decide open settings from the size of the data and of the images.

Pure functions: no TensorFlow, no files, no randomness. Each number has its source next to it;
"measured" means `benchmarks/README.md`.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from tfxfer.config.decided import (
    DecidedAugment,
    DecidedFinetune,
    DecidedFit,
    DecidedPretrain,
    decided_head,
    filled,
)
from tfxfer.config.frame import AnySize
from tfxfer.config.schema import (
    GRADIENT_SETTINGS,
    AugmentConfig,
    FitConfig,
    HeadConfig,
    PretrainConfig,
    RunConfig,
)

# Below this side an image is "small" (BiT-HyperRule, Kolesnikov et al. 2020, arXiv:1912.11370,
# section 3.3: area under 96 x 96) and is upsampled to 128 pixels, as there.
SMALL_IMAGE = 96

_UPSAMPLED = 128

# Below _FEW_IMAGES only the backbone's last resolution is fine-tuned. BiT-HyperRule's classes of
# data size begin at MANY_IMAGES.
_FEW_IMAGES = 2_000

MANY_IMAGES = 20_000

# Momentum of the average of the weights: about ten steps, less than an epoch of 400 images.
_EMA = 0.9

# Maximum of images x features x classes for L-BFGS. A pass over the training images then takes
# 0.1 s on one core. CIFAR-10 with 1,280 features has a little more than half of it.
_SOLVABLE = 10**9


@dataclass(frozen=True)
class Facts:
    """The facts that the rules use.

    Attributes:
        num_train: Number of training images.
        num_validation: Number of validation images.
        num_classes: Number of classes.
        num_features: Channels of the backbone's last feature map, for each stage the head reads.
        side: Shorter side of a typical image in pixels, where the longer one is cropped; otherwise
            the longer one.
        mirrored: Whether a mirrored image keeps its label.
        native_size: Image size in pixels that the backbone was pretrained with.
        min_size: Smallest image size in pixels that the backbone takes.
        last_resolution: First stage at the backbone's lowest resolution.
        weights_name: Name of the backbone's own weights.
        stages: The backbone's stages, from the image to the features.
        batch_norm: Whether the backbone has BatchNorm.
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
    stages: tuple[str, ...] = ()
    batch_norm: bool = True


def decide(config: FitConfig, facts: Facts) -> DecidedFit:
    """Returns the settings of a fit with open ones decided. Settings of the user are kept.

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
    image_size = _image_size(config, facts)
    weights = config.weights or facts.weights_name
    pretrained = weights != "none"
    head = _head(config, facts, pretrained)
    choices = _finetune(facts, pretrained, config.finetune.gradual)
    finetune = filled(DecidedFinetune, config.finetune, choices)
    augment = filled(DecidedAugment, config.augment, _augment(config.augment, facts))
    if finetune.unfreeze == "none" or not finetune.epochs:
        finetune, augment = finetune.left_out(finetune.unfreeze), augment.unmixed()
    sections = dataclasses.replace(
        config,
        weights=weights,
        head=decided_head(config.head, head),
        finetune=finetune,
        augment=augment,
    )
    choices = {
        "image_size": image_size,
        "input_size": _input_size(facts, image_size),
        "batch_size": _batch_size(facts.num_train),
        "label_smoothing": 0.0,
    }
    return filled(DecidedFit, sections, choices)


def decide_pretraining(config: PretrainConfig, facts: Facts) -> DecidedPretrain:
    """Returns the settings of a pretraining with open ones decided; image sizes are those of `fit`.

    SGD with momentum 0.9, learning rate 0.1 for batches of 128, shifts by an eighth of the side and
    flips follow He et al. (2015, arXiv:1512.03385, section 4.2). Scaling the learning rate with the
    batch size follows Goyal et al. (2017, arXiv:1706.02677). The weight decay follows Zagoruyko &
    Komodakis (2016, arXiv:1605.07146): 5e-4 in the loss, which with momentum 0.9 equals ten times
    as much decoupled weight decay.

    Examples:
        The learning rate is in proportion to the batch size:

        >>> facts = Facts(1_000, 200, 5, 2_048, 300, True, 224, 32, "conv5", "imagenet")
        >>> decide_pretraining(PretrainConfig(batch_size=64), facts).learning_rate
        0.05
    """
    image_size = _image_size(config, facts)
    batch_size = config.batch_size or _batch_size(facts.num_train)
    optimizer = config.optimizer or "sgd"
    with_sgd = optimizer == "sgd"
    choices = {
        "image_size": image_size,
        "input_size": _input_size(facts, image_size),
        "batch_size": batch_size,
        "label_smoothing": 0.1,
        "optimizer": optimizer,
        "epochs": 100 if facts.num_train < MANY_IMAGES else 30,
        "learning_rate": 0.1 * batch_size / 128 if with_sgd else 1e-3,
        "warmup_epochs": 1.0,
        "weight_decay": 5e-3 if with_sgd else 0.05,
        "clip_norm": 0.0,
    }
    shift = 0.125 if config.augment.crop == 1 else 0.0
    augment = {"flip": facts.mirrored, "shift": shift, "zoom": 0.0, "rotation": 0.0}
    changes = filled(DecidedAugment, config.augment, augment)
    return filled(DecidedPretrain, dataclasses.replace(config, augment=changes), choices)


def _image_size(config: RunConfig, facts: Facts) -> AnySize:
    """Returns the image size of the backbone: its native size, or less for smaller images.

    Where the model is to take an oblong image, the backbone does, too.

    Training far below the native size costs accuracy. Going far above the size of the images costs
    time and adds nothing. Photographs smaller than 224 pixels still use 224 if that is native.
    """
    if config.image_size is not None:
        return config.image_size
    if isinstance(config.input_size, str):
        return config.input_size
    wanted = _UPSAMPLED if facts.side < SMALL_IMAGE else max(224, -(-facts.side // 32) * 32)
    return max(min(facts.native_size, wanted), facts.min_size)


def _input_size(facts: Facts, image_size: AnySize) -> AnySize:
    """Returns the image size of the model's input.

    Images of at most two thirds of a square `image_size` keep their size and are upsampled in the
    model.
    """
    if isinstance(image_size, str):
        return image_size
    return facts.side if 3 * facts.side <= 2 * image_size else image_size


def _batch_size(num_train: int) -> int:
    """Returns the batch size: the usual 32 for few images, so that an epoch has enough steps.

    Up to 128 for many, the default of AutoGluon MultiModal. The 512 of BiT need more memory than a
    laptop has.
    """
    if num_train < _FEW_IMAGES:
        return 32
    return 64 if num_train < MANY_IMAGES else 128


def _head(config: FitConfig, facts: Facts, pretrained: bool) -> dict[str, Any]:
    """Returns the settings of the head phase: many epochs, as features are computed only once.

    L-BFGS trains a linear head if a pass over the features is cheap. The limit of 100 iterations is
    that of scikit-learn and rarely reached. Otherwise Adam at 1e-3 and dropout 0.2 follow the Keras
    guide (keras.io/guides/transfer_learning). Learning rate and dropout hardly matter for a head
    trained to convergence (measured).
    """
    few, many = facts.num_train < _FEW_IMAGES, facts.num_train >= MANY_IMAGES
    solvable = _is_solvable(config.head, config.memory_bytes, facts)
    optimizer = config.head.optimizer or ("lbfgs" if solvable else "adam")
    epochs = 100 if optimizer == "lbfgs" else 30 if few else 10 if many else 20
    choices = {
        # Training a head on random features helps no more than starting with zero logits.
        "epochs": epochs if pretrained else 0,
        "optimizer": optimizer,
        "dropout": 0.2,
    }
    if optimizer == "lbfgs":
        return choices
    gradient = {"learning_rate": 1e-3, "warmup_epochs": 0.0, "weight_decay": 0.0, "clip_norm": 0.0}
    return choices | gradient


def _is_solvable(head: HeadConfig, memory_bytes: float, facts: Facts) -> bool:
    """Returns whether to use L-BFGS for a head without a chosen optimizer."""
    # Setting a learning rate, say, means a gradient method.
    for_gradients = any(getattr(head, name) is not None for name in GRADIENT_SETTINGS)
    # Flattened feature maps are always too large.
    num_features = {"average": 1, "max": 1, "both": 2}.get(head.pooling, 0) * facts.num_features
    num_train = facts.num_train * (1 + head.augmented_views)
    most = max(num_train, facts.num_validation)
    fits = 4 * most * num_features <= memory_bytes  # float32
    cheap = 0 < num_train * facts.num_classes * num_features <= _SOLVABLE
    return fits and cheap and not head.hidden_units and not for_gradients


def _finetune(facts: Facts, pretrained: bool, gradual: bool) -> dict[str, Any]:
    """Returns the settings of the finetune phase.

    AdamW at 1e-4 with the gradient norm clipped at 1 are the defaults of AutoGluon MultiModal (Tang
    et al. 2024, arXiv:2404.16233). With few photographs only the last resolution is fine-tuned, at
    3e-4: on five flowers and on ants and bees that is better than all at 1e-4, or than all at 3e-4
    with a lower learning rate for earlier stages, and takes a third of the time (measured). Small
    images are upsampled and look unlike what the network was pretrained on: fine-tuning all is
    better on 500 images of CIFAR-10, and cheap at their size (measured).
    Cosine decay after warmup follows He et al. (2019, arXiv:1812.01187, sections 3.1 and 5.1).

    At 3e-4 the scores vary from epoch to epoch. An average of the weights over about ten steps
    lowers the validation loss on the same data and costs next to nothing (measured).

    Ten epochs are better than five (measured). From MANY_IMAGES on, five have as many steps:
    BiT-HyperRule has 500 below that number of images. Gradual unfreezing is a way to train all
    stages (Howard & Ruder 2018, arXiv:1801.06146). A network for small images is small and cheap to
    train: all of it, longer and at a higher learning rate (measured on 1,000 of CIFAR-10's images).
    """
    few, many = facts.num_train < _FEW_IMAGES, facts.num_train >= MANY_IMAGES
    common = {"optimizer": "adamw", "weight_decay": 1e-4, "clip_norm": 1.0, "ema": 0.0}
    if not pretrained:
        return common | {
            "unfreeze": "all",
            "batch_norm": "adapt",
            "epochs": 30 if few else 20,
            "learning_rate": 1e-3,  # the default of AdamW, as there are no weights to preserve
            "warmup_epochs": 1.0,
        }
    if facts.native_size < SMALL_IMAGE:
        return common | {
            "unfreeze": "all",
            "batch_norm": "frozen",
            "epochs": 20 if few else 10,
            "learning_rate": 3e-4,
            "warmup_epochs": 1.0,
        }
    last = few and facts.side >= SMALL_IMAGE and not gradual
    return common | {
        "unfreeze": facts.last_resolution if last else "all",
        "batch_norm": "frozen",
        "epochs": 5 if many else 10,
        "learning_rate": 3e-4 if last else 1e-4,
        "warmup_epochs": 0.5,
        "ema": _EMA if last else 0.0,
    }


def _augment(augment: AugmentConfig, facts: Facts) -> dict[str, Any]:
    """Returns light augmentation: less than an object's pose and position vary anyway.

    Photographs are not rotated: rotation doubles the cost of augmentation and changes nothing on
    ants and bees and on five flowers. On CIFAR-10 it lowers the loss a little (measured).
    Random crops replace shift and zoom.
    """
    rotation = 10.0 if facts.side < SMALL_IMAGE else 0.0
    moved = 0.1 if augment.crop == 1 else 0.0
    return {"flip": facts.mirrored, "shift": moved, "zoom": moved, "rotation": rotation}
