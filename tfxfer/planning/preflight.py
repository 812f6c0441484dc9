"""Checks of settings on images before TensorFlow is imported and data are opened."""

import dataclasses

from tfxfer.config.frame import RGB, sides
from tfxfer.config.schema import AUTO, FitConfig, PretrainConfig, RunConfig
from tfxfer.config.settings import fields_of, option_of
from tfxfer.errors import UsageError, did_you_mean
from tfxfer.models.backbones.backbone import Backbone, head_stages
from tfxfer.models.backbones.bundled import SMALL_RESNET
from tfxfer.models.backbones.registry import find_backbone, find_weights_file
from tfxfer.planning.inputs import check_inputs
from tfxfer.runs.naming import check_run_name, named_run
from tfxfer.system.files import check_writable


def check_settings(config: RunConfig) -> Backbone:
    """Checks settings and returns the backbone that they name.

    Checks that text is UTF-8, that there is a value for `data`, that the backbone exists and takes
    images of that size, that results can be written, and for a fit the weights and the stage to
    unfreeze.

    Args:
        config: The settings that the user gave.

    Raises:
        UsageError: A setting is impossible, or names something that does not exist.
    """
    check_inputs(config)
    backbone = find_backbone(config.backbone)
    for name, field in fields_of(config.text).items():
        if getattr(config.text, name) != field.default:
            raise UsageError(
                f"Setting 'text.{name}' ({option_of(f'text.{name}')}) is for text backbones, but "
                f"'{backbone.name}' takes images. Leave it out."
            )
    check_writable(config.runs_dir, "runs_dir")
    if config.run is not None:
        check_run_name(config.run)
    if isinstance(config, FitConfig):
        _check_fit(config, backbone)
    elif isinstance(config, PretrainConfig) and config.objective != "labels":
        raise UsageError(
            f"Setting 'objective' (--objective) is '{config.objective}', which is for text "
            f"backbones, but '{backbone.name}' takes images. Leave it out."
        )
    check_image_size(config, backbone)
    _check_channels(config)
    return backbone


def _check_channels(config: RunConfig) -> None:
    """Raises a UsageError if what is asked for needs RGB, and the images have other channels."""
    if config.channels == RGB:
        return
    if not isinstance(config, FitConfig):
        raise UsageError(
            f"Setting 'channels' (--channels) is {config.channels}, but `tfxfer pretrain` trains "
            "on RGB images. Leave it out; `tfxfer fit` adapts a backbone that was trained on RGB."
        )
    if config.augment.policy != "none":
        raise UsageError(
            f"Setting 'augment.policy' is '{config.augment.policy}', which changes colors, but "
            f"'channels' (--channels) is {config.channels}. Leave it out; 'augment.crop', "
            "'augment.rotation', 'augment.mixup' and others work with any channels."
        )


def check_image_size(config: RunConfig, backbone: Backbone) -> None:
    """Raises a UsageError if a backbone takes no images of the size that is asked for.

    Args:
        config: The settings that the user gave.
        backbone: The record of the backbone.
    """
    for name in ("image_size", "input_size"):
        if isinstance(getattr(config, name), str) and not backbone.takes_oblong:
            raise UsageError(
                f"Setting '{name}' is {getattr(config, name)}, but '{backbone.name}', a vision "
                "transformer, takes square images. Give the side of a square, with --fit-images "
                "pad to see all of an image."
            )
    if config.image_size is None or min(sides(config.image_size)) >= backbone.min_size:
        return
    each = "" if isinstance(config.image_size, int) else " in height and in width"
    raise UsageError(
        f"Setting 'image_size' is {config.image_size}; backbone '{backbone.name}' needs at "
        f"least {backbone.min_size} pixels{each}."
    )


def check_asked(config: RunConfig) -> None:
    """Checks settings whose backbone may still be chosen by a ranking.

    Args:
        config: The settings that the user gave.

    Raises:
        UsageError: A setting is impossible, names something that does not exist, or needs the name
            of a backbone.
    """
    if not isinstance(config, FitConfig) or config.backbone != AUTO:
        check_settings(config)
        return
    unfreeze = config.finetune.unfreeze
    if config.weights is not None:
        raise UsageError(
            f"Setting 'weights' is '{config.weights}', but 'backbone' is '{AUTO}', which ranks "
            "backbones with their own weights. Leave 'weights' out, or name a backbone."
        )
    if unfreeze not in (None, "all", "none"):
        raise UsageError(
            f"Setting 'finetune.unfreeze' (--unfreeze) is '{unfreeze}', but 'backbone' is "
            f"'{AUTO}', and stages differ between backbones. Use 'all' or 'none', leave it out, or "
            "name a backbone."
        )
    stages = config.head.stages
    if stages is not None and stages != "all" and not stages.isdecimal():
        raise UsageError(
            f"Setting 'head.stages' (--head-stages) is '{stages}', but 'backbone' is '{AUTO}', and "
            f"stages differ between backbones. Give 'all' or a number of last stages, leave it "
            "out, or name a backbone."
        )
    # What does not depend on the backbone; the ranking skips those for which images are too small.
    check_settings(dataclasses.replace(config, backbone=SMALL_RESNET.name))


def _check_fit(config: FitConfig, backbone: Backbone) -> None:
    _check_mixing(config)
    if config.effort == "thorough" and config.max_minutes is None:
        raise UsageError(
            "Setting 'effort' (--effort) is 'thorough', which searches for as long as it is "
            "allowed to, but there is no time budget. Set one, such as --max-minutes 60."
        )
    if config.weights != "none":
        find_weights_file(backbone, config.weights or backbone.weights_name)
    check_writable(config.export_dir, "export_dir")
    if config.run is not None:
        named_run(config.runs_dir, config.run)
    head_stages(backbone.stage_names, config.head.stages)
    unfreeze = config.finetune.unfreeze
    allowed = ["all", "none", *backbone.stage_names]
    if unfreeze is not None and unfreeze not in allowed:
        raise UsageError(
            f"Unknown stage '{unfreeze}' of backbone '{backbone.name}'."
            f"{did_you_mean(unfreeze, allowed)} Setting 'finetune.unfreeze' (--unfreeze) may be "
            f"{', '.join(allowed)}."
        )
    if config.finetune.gradual and unfreeze == backbone.stage_names[-1]:
        raise UsageError(
            f"Setting 'finetune.gradual' unfreezes one stage after the other, but --unfreeze "
            f"'{unfreeze}' is the last stage of backbone '{backbone.name}'. Leave one of them out."
        )


def _check_mixing(config: FitConfig) -> None:
    """Raises a UsageError if images are to be mixed in a finetune phase that there is not."""
    if config.finetune.epochs == 0:
        reason = "'finetune.epochs' is 0"
    elif config.finetune.unfreeze == "none":
        reason = "'finetune.unfreeze' is 'none'"
    else:
        return
    for name in ("mixup", "cutmix"):
        if getattr(config.augment, name):
            raise UsageError(
                f"Setting 'augment.{name}' mixes images in the finetune phase, but {reason}. Leave "
                "one of them out."
            )
