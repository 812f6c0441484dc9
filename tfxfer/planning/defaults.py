"""Rules that decide open settings from the size of the data and of the images.

Pure functions: no TensorFlow, no files, no randomness. Each number has its source next to it;
"measured" means `benchmarks/README.md`.
"""

import dataclasses
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
    FitConfig,
    HeadConfig,
    PretrainConfig,
    RunConfig,
)
from tfxfer.planning.rules.facts import FEW_IMAGES, MANY_IMAGES, SMALL_IMAGE, Facts
from tfxfer.planning.rules.fine_tuning import augment_rules, finetune_rules

# Small images are upsampled to 128 pixels, as in BiT-HyperRule (Kolesnikov et al. 2020,
# arXiv:1912.11370, section 3.3).
_UPSAMPLED = 128

# Maximum of images x features x classes for L-BFGS. A pass over the training images then takes
# 0.1 s on one core. CIFAR-10 with 1,280 features has a little more than half of it.
_SOLVABLE = 10**9


def decide(config: FitConfig, facts: Facts) -> DecidedFit:
    """Returns the settings of a fit with open ones decided. Settings of the user are kept.

    Examples:
        Few photos fine-tune only the last stage; a setting of the user stays:

        >>> from tfxfer.planning.rules.facts import Facts
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
    choices = finetune_rules(facts, pretrained, config.finetune.gradual)
    finetune = filled(DecidedFinetune, config.finetune, choices)
    augment = filled(DecidedAugment, config.augment, augment_rules(config.augment, facts))
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

        >>> from tfxfer.planning.rules.facts import Facts
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
    if num_train < FEW_IMAGES:
        return 32
    return 64 if num_train < MANY_IMAGES else 128


def _head(config: FitConfig, facts: Facts, pretrained: bool) -> dict[str, Any]:
    """Returns the settings of the head phase: many epochs, as features are computed only once.

    L-BFGS trains a linear head if a pass over the features is cheap. The limit of 100 iterations is
    that of scikit-learn and rarely reached. Otherwise Adam at 1e-3 and dropout 0.2 follow the Keras
    guide (keras.io/guides/transfer_learning). Learning rate and dropout hardly matter for a head
    trained to convergence (measured).
    """
    few, many = facts.num_train < FEW_IMAGES, facts.num_train >= MANY_IMAGES
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
