"""Checks of settings on texts before TensorFlow is imported and data are opened."""

import pathlib
from collections.abc import Sequence

from tfxfer.config.schema import (
    ALL_DEVICES,
    LABEL_SETTINGS,
    FitConfig,
    PretrainConfig,
    RunConfig,
)
from tfxfer.config.settings import option_of, setting_field
from tfxfer.errors import UsageError, did_you_mean
from tfxfer.planning.inputs import check_inputs
from tfxfer.runs.naming import check_run_name, named_run
from tfxfer.system.files import check_writable
from tfxfer.text.data.encoding import check_encoding
from tfxfer.text.models.backbones import (
    NETWORKS,
    OWN_WEIGHTS,
    TextBackbone,
    find_text_backbone,
)
from tfxfer.text.models.encoders.kerashub import check_kerashub
from tfxfer.text.models.encoders.packaged import encoder_folder
from tfxfer.text.models.weights import find_weights

# Settings that only images have, or that a classifier of texts cannot use yet.
_OF_IMAGES = (
    *("image_size", "input_size", "fit_images", "channels", "bad_images", *LABEL_SETTINGS),
    *("augment.flip", "augment.shift", "augment.zoom", "augment.rotation", "augment.crop"),
    *("augment.policy", "augment.mixup", "augment.cutmix"),
)
_OF_FITTED_IMAGES = (
    *("folds", "find_rate", "unknown", "unknown_rate", "coverage", "ordered", "class_order"),
    "label_loss",
    *(
        "head.pooling",
        "head.stages",
        "head.augmented_views",
        "finetune.average",
        "finetune.gradual",
        "test_time_views",
    ),
    *("compare_scratch", "compare_examples", "compare_epochs"),
)

# Settings of a head that is trained by gradient steps, which that of texts is not.
_OF_GRADIENT_HEADS = tuple(
    f"head.{name}"
    for name in ("learning_rate", "warmup_epochs", "weight_decay", "clip_norm", "decay", "momentum")
)


def check_asked(config: RunConfig) -> TextBackbone:
    """Checks the settings of a fit or pretraining on texts, and returns the backbone they name.

    Raises:
        UsageError: A setting is impossible, does not apply to texts, or names something that does
            not exist.
    """
    check_inputs(config)
    backbone = find_text_backbone(config.backbone)
    check_encoding(config.text.encoding)
    check_writable(config.runs_dir, "runs_dir")
    if config.run is not None:
        check_run_name(config.run)
    _refuse(config, _OF_IMAGES, f"is for images, but backbone '{backbone.name}' takes texts")
    if config.precision not in ("auto", "float32"):
        raise UsageError(
            f"Setting 'precision' is '{config.precision}', but text backbones are trained in "
            "float32. Leave it out."
        )
    if config.xla == "on":
        raise UsageError(
            "Setting 'xla' is 'on', but batches of texts vary in length, and XLA would compile "
            "each length separately. Leave it out."
        )
    if config.devices not in (ALL_DEVICES, "1"):
        raise UsageError(
            f"Setting 'devices' is {config.devices}, but text backbones are trained on one device. "
            "Leave it out."
        )
    # The settings of a run, all decided, are checked, too, when it is resumed.
    if not backbone.has_units and config.text.units not in (None, config.text.dimensions):
        raise UsageError(
            f"Setting 'text.units' is for {', '.join(_with_units())}; backbone "
            f"'{backbone.name}' has no units but the dimensions of its embeddings. Leave it out."
        )
    if backbone.encoder is not None:
        _check_encoder(config, backbone)
    if isinstance(config, FitConfig):
        _check_fit(config, backbone)
    elif isinstance(config, PretrainConfig):
        _check_vectors(config)
        _check_objective(config, backbone)
    return backbone


def _check_objective(config: PretrainConfig, backbone: TextBackbone) -> None:
    """Raises a UsageError if a backbone cannot learn what it is to learn."""
    if config.objective == "next-word" and not backbone.is_recurrent:
        recurrent = " or ".join(name for name, one in NETWORKS.items() if one.is_recurrent)
        raise UsageError(
            f"Setting 'objective' (--objective) is 'next-word', but backbone '{backbone.name}' "
            f"does not read word by word. Use {recurrent}, or leave it out: "
            f"'{backbone.name}' is pretrained on labels."
        )
    if config.objective == "next-word" and config.label_smoothing:
        raise UsageError(
            "Setting 'label_smoothing' is for labels, but 'objective' is 'next-word'. Leave one of "
            "them out."
        )


def _check_encoder(config: RunConfig, backbone: TextBackbone) -> None:
    """Raises a UsageError if an encoder cannot be read, or is to be pretrained."""
    check_kerashub(backbone.name)
    if isinstance(config, PretrainConfig):
        raise UsageError(
            f"Backbone '{backbone.name}' is pretrained already, so `tfxfer pretrain` does not "
            f"train it. Run `tfxfer fit --backbone {backbone.name}`, whose run other fits can "
            "start from (--weights RUN)."
        )
    if backbone.encoder is not None and getattr(config, "weights", None) in (None, OWN_WEIGHTS):
        encoder_folder(backbone.encoder)
    if config.text.vectors is not None:
        raise UsageError(
            f"Setting 'text.vectors' (--vectors) is for backbones with random weights, but "
            f"'{backbone.name}' has embeddings of its own. Leave it out."
        )


def _with_units() -> list[str]:
    return ["lstm", "gru", "textcnn"]


def _check_fit(config: FitConfig, backbone: TextBackbone) -> None:
    _refuse(
        config,
        _OF_FITTED_IMAGES,
        f"is for image backbones, but '{backbone.name}' is a text backbone",
    )
    if config.effort == "thorough":
        raise UsageError(
            "Setting 'effort' is 'thorough', but a text backbone is trained once, without a "
            "search. Leave it out."
        )
    if config.finetune.batch_norm == "adapt":
        raise UsageError(
            "Setting 'finetune.batch_norm' is 'adapt', which is for image backbones: text "
            "backbones have no BatchNorm. Leave it out."
        )
    if not config.head.hidden_units:
        _check_solved_head(config)
    check_writable(config.export_dir, "export_dir")
    if config.run is not None:
        named_run(config.runs_dir, config.run)
    _check_unfreeze(config, backbone)
    _check_weights(config, backbone)


def _check_weights(config: FitConfig, backbone: TextBackbone) -> None:
    """Raises a UsageError unless a fit has weights to start from, or trains random ones."""
    has_own = backbone.encoder is not None
    if has_own and config.weights == "none":
        raise UsageError(
            f"Setting 'weights' is 'none', but backbone '{backbone.name}' is only trained from its "
            f"own weights. Leave it out, or choose another backbone, such as {_with_units()[0]}."
        )
    if not has_own and config.weights in (None, "none"):
        _check_from_scratch(config)
        return
    if not has_own or config.weights not in (None, OWN_WEIGHTS):
        find_weights(str(config.weights))
    if config.head.epochs and config.head.hidden_units:
        raise UsageError(
            "Setting 'head.hidden_units' needs gradient steps, but 'head.epochs' is for the "
            "head fitted with L-BFGS. Leave one of them out: hidden layers are trained with "
            "the backbone."
        )


def _check_solved_head(config: FitConfig) -> None:
    """Raises a UsageError if a setting is for a head that is trained by gradient steps."""
    if config.head.optimizer not in (None, "lbfgs"):
        raise UsageError(
            f"Setting 'head.optimizer' is '{config.head.optimizer}', but the head of a text "
            "backbone is fitted with 'lbfgs'. Leave it out."
        )
    _refuse(
        config,
        _OF_GRADIENT_HEADS,
        "is for heads trained by gradient steps, but that of a text backbone is fitted with L-BFGS",
    )


def _check_from_scratch(config: FitConfig) -> None:
    """Checks the settings of a fit on a backbone with random weights."""
    if config.head.epochs:
        raise UsageError(
            "Setting 'head.epochs' is for a head on pretrained features, but a text backbone "
            "has random weights unless --weights names a run. Leave one of them out."
        )
    if config.finetune.epochs == 0 or config.finetune.unfreeze == "none":
        raise UsageError(
            "A text backbone with random weights must be trained: leave out "
            "'finetune.epochs' 0 and 'finetune.unfreeze' 'none', or give --weights RUN."
        )
    _check_vectors(config)


def _check_vectors(config: RunConfig) -> None:
    vectors = config.text.vectors
    if vectors is not None and not pathlib.Path(vectors).is_file():
        raise UsageError(f"There is no file of word vectors '{vectors}' (--vectors).")


def _check_unfreeze(config: FitConfig, backbone: TextBackbone) -> None:
    unfreeze, allowed = config.finetune.unfreeze, ["all", "none", *backbone.stages]
    if unfreeze is not None and unfreeze not in allowed:
        raise UsageError(
            f"Unknown stage '{unfreeze}' of backbone '{backbone.name}'."
            f"{did_you_mean(unfreeze, allowed)} Setting 'finetune.unfreeze' (--unfreeze) may be "
            f"{', '.join(allowed)}."
        )


def _refuse(config: RunConfig, keys: Sequence[str], why: str) -> None:
    """Raises a UsageError if one of some settings differs from its default."""
    for key in keys:
        if config.get(key) != setting_field(type(config), key).default:
            raise UsageError(f"Setting '{key}' ({option_of(key)}) {why}. Leave it out.")
