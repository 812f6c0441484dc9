"""Rules of the finetune phase: what is trained, how fast, for how long and on which images.

Pure functions; each number has its source next to it. "Measured" means `benchmarks/README.md`.
"""

from typing import Any

from tfxfer.config.schema import AugmentConfig
from tfxfer.planning.rules.facts import FEW_IMAGES, MANY_IMAGES, SMALL_IMAGE, Facts

# Epochs that see the same views of the images, where part of the backbone is frozen.
_ECHO = 2

# Momentum of the average of the weights: about ten steps, less than an epoch of 400 images, and
# about a hundred, an epoch of 6,400.
_EMA, _LONG_EMA = 0.9, 0.99


def finetune_rules(facts: Facts, pretrained: bool, gradual: bool) -> dict[str, Any]:
    """Returns the settings of the finetune phase.

    AdamW at 1e-4 with the gradient norm clipped at 1 are the defaults of AutoGluon MultiModal (Tang
    et al. 2024, arXiv:2404.16233). With few photographs only the last resolution is fine-tuned, at
    3e-4: on five flowers and on ants and bees that is better than all at 1e-4, or than all at 3e-4
    with a lower learning rate for earlier stages, and takes a third of the time (measured). Small
    images are upsampled and look unlike what the network was pretrained on: fine-tuning all is
    better on 500 images of CIFAR-10, and cheap at their size (measured).
    Cosine decay after warmup follows He et al. (2019, arXiv:1812.01187, sections 3.1 and 5.1).

    At 3e-4 the scores vary from epoch to epoch. An average of the weights over about ten steps
    lowers the validation loss on the same data and costs next to nothing (measured). Two epochs see
    each view of an image, as most of the time goes into the frozen stages: a fifth of the processor
    time of a fit is saved, at accuracies that are alike (measured).

    From FEW_IMAGES on, small images are trained at 2e-4, and from MANY_IMAGES on, with batches of
    128, at 3e-4, with an average over about a hundred steps: on 6,000 and 20,000 images of CIFAR-10
    the accuracy is 0.7 and 2 points higher than at 1e-4 without (measured).

    Ten epochs are better than five (measured). From MANY_IMAGES on, five have as many steps:
    BiT-HyperRule has 500 below that number of images. Gradual unfreezing is a way to train all
    stages (Howard & Ruder 2018, arXiv:1801.06146). A network for small images is small and cheap to
    train: all of it, longer and at a higher learning rate (measured on 1,000 of CIFAR-10's images).
    """
    few, many = facts.num_train < FEW_IMAGES, facts.num_train >= MANY_IMAGES
    common = {"optimizer": "adamw", "weight_decay": 1e-4, "clip_norm": 1.0, "ema": 0.0, "echo": 1}
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
    small = facts.side < SMALL_IMAGE
    last = few and not small and not gradual
    rate, ema = 1e-4, 0.0
    if last:
        rate, ema = 3e-4, _EMA
    elif small and not few:
        rate, ema = 3e-4 if many else 2e-4, _LONG_EMA
    return common | {
        "unfreeze": facts.last_resolution if last else "all",
        "batch_norm": "frozen",
        "epochs": 5 if many else 10,
        "learning_rate": rate,
        "warmup_epochs": 0.5,
        "ema": ema,
        "echo": _ECHO if last else 1,
    }


def augment_rules(augment: AugmentConfig, facts: Facts) -> dict[str, Any]:
    """Returns light augmentation: less than an object's pose and position vary anyway.

    Photographs are not rotated: rotation doubles the cost of augmentation and changes nothing on
    ants and bees and on five flowers. Rotation and zoom blur small images. On up to 2,000 images of
    CIFAR-10 they lower the loss a little all the same; on 6,000 they change nothing, and on 20,000,
    which are seen five times, they cost 0.7 points (measured). Random crops replace shift and zoom.
    """
    small, many = facts.side < SMALL_IMAGE, facts.num_train >= MANY_IMAGES
    shift = 0.1 if augment.crop == 1 else 0.0
    zoom, rotation = (0.0, 0.0) if small and many else (shift, 10.0 if small else 0.0)
    return {"flip": facts.mirrored, "shift": shift, "zoom": zoom, "rotation": rotation}
