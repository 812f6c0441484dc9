"""The options of the commands that take settings."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import AnyConfig, RunConfig
from tfxfer.config.settings import setting_field, setting_keys, setting_types
from tfxfer.planning.preflight import check_settings
from tfxfer.runs.naming import run_to_resume

# TensorFlow takes seconds to import, so the verbs that need it are imported inside the commands.

Command = TypeVar("Command", bound=Callable[..., Any])

# What each setting does, with its unit where the name does not say it. `momentum` is said of every
# section that has no `head.momentum` of its own.
MEANINGS = {
    "data": "A folder with one folder per class, a manifest (.csv, .jsonl), TFRecord files, a name "
    "of TFDS, 'hf:' and one of Hugging Face, or 'digits'.",
    "data_dir": "Where TFDS data lie  [default: TFDS_DATA_DIR, else TFDS's own]",
    "validation_fraction": "Share of the images carved for validation where there is none.",
    "test_fraction": "Share carved for the test where the data have no splits at all.",
    "train_examples": "Train on at most this many images, the same share of each class.",
    "validation_examples": "Likewise for validation.",
    "test_examples": "Likewise for the test.",
    "bad_images": "Images that cannot be read: stop before the work begins, or leave them out.",
    "backbone": "Network; `tfxfer backbones` lists them.",
    "weights": "'none', or a .h5, .weights.h5 or .keras file  [default: the backbone's own]",
    "class_weights": "'balanced' counts each class the same, however few its images.",
    "image_size": "Pixels of the square image that the backbone sees.",
    "input_size": "Pixels of the square image that the model takes and upsamples.",
    "batch_size": "Images per step.",
    "label_smoothing": "Share of the target spread over all classes.",
    "precision": "Arithmetic of the backbone.",
    "xla": "Compile the train steps: takes a minute; on a GPU they are then twice as fast.",
    "memory_gigabytes": "Most memory for images, and as much again for what is computed of them.",
    "cache_gigabytes": "Most disk for the features and images of all runs; 0 keeps none.",
    "cache_dir": "Where these are  [default: TFXFER_CACHE_DIR, else ~/.cache/tfxfer]",
    "seed": "Decides the splits, the order, the augmentation and the initial weights.",
    "checkpoint_minutes": "Write the state down so often within an epoch; 0 only at its end.",
    "max_minutes": "Train no longer than about this, with a schedule to suit  [default: no limit]",
    "run": "Name of the run  [default: made from data and backbone]",
    "runs_dir": "Where runs go.",
    "export_dir": "Where exports go.",
    "calibrate": "Have the model give probabilities that agree with how often it is right.",
    "min_accuracy": "Export nothing less accurate, on the test split or else validation.",
    "compare_scratch": "Train from random weights, too, and say what transfer was worth.",
    "compare_examples": "Compare on so many training images  [default: all]",
    "compare_epochs": "Epochs from random weights  [default: the budget of the pretrained]",
    "epochs": "Passes over the training images.",
    "head.epochs": "Epochs with the backbone frozen.",
    "finetune.epochs": "Epochs with the backbone unfrozen.",
    "optimizer": "Update rule.",
    "learning_rate": "Peak learning rate.",
    "warmup_epochs": "Epochs until the peak.",
    "decay": "What the rate does after the peak.",
    "momentum": "Of sgd.",
    "nesterov": "Nesterov's momentum for sgd.",
    "weight_decay": "Decoupled weight decay.",
    "clip_norm": "Largest global gradient norm; 0 clips nothing.",
    "head.optimizer": "Update rule; lbfgs solves a head without hidden layers to its end.",
    "head.penalty": "Of the squared weights, for lbfgs  [default: chosen on validation]",
    "head.augmented_views": "Changed views of each image that the head learns from, too.",
    "head.pooling": "From feature maps to features.",
    "head.hidden_units": "Units of a hidden layer; repeat it for several.",
    "head.dropout": "Share of the features dropped in training.",
    "finetune.unfreeze": "'all', 'none', or the first stage trained.",
    "finetune.batch_norm": "'frozen' keeps its statistics; 'adapt' lets them learn.",
    "finetune.patience": "Stop after so many epochs without a better one; 0 never.",
    "augment.flip": "Mirror half of the images.",
    "augment.shift": "Shift by up to this part of the side.",
    "augment.zoom": "Zoom in or out by up to this part.",
    "augment.rotation": "Rotate by up to this many degrees.",
}

OTHER_DATA = "A data set, as for fit, or where the run's own was moved to  [default: the run's own]"

_SHORT_NAMES = {"finetune.unfreeze": "--unfreeze", "finetune.batch_norm": "--batch-norm"}


def settings_of(record: type[RunConfig]) -> Callable[[Command], Command]:
    """Returns what gives a command an option for each setting of a record, and for a recipe."""

    def decorate(command: Command) -> Command:
        for key in reversed(list(setting_keys(record))):
            command = _option(record, key)(command)
        return click.option(
            "--config",
            "recipe",
            metavar="FILE",
            help="A recipe (TOML); options on the command line win over it.",
        )(command)

    return decorate


def _option(record: type[RunConfig], key: str) -> Callable[[Command], Command]:
    """Returns an option with the type and default of its field; `head.epochs` is --head-epochs."""
    (kind, *_) = allowed = setting_types(record, key)
    default = setting_field(record, key).default
    several = default == ()
    names = ["--" + key.replace(".", "-").replace("_", "-")]
    names += [_SHORT_NAMES[key]] if key in _SHORT_NAMES else []
    meaning = MEANINGS.get(key) or MEANINGS[key.rpartition(".")[2]]
    shown = "" if default in (None, "", ()) or default is False else f"  [default: {default}]"
    return click.option(
        *names,
        type=click.Choice(allowed) if isinstance(kind, str) else int if several else kind,
        is_flag=default is False,
        multiple=several,
        default=None,
        expose_value=False,
        callback=functools.partial(_collect, key),
        help=meaning + shown,
    )


def _collect(key: str, context: click.Context, _: click.Parameter, value: Any) -> None:
    """Keeps a value that the user gave, nested as in a recipe, for the command to read."""
    if value is None or value == ():
        return
    settings = context.ensure_object(dict)
    *sections, name = key.split(".")
    for section in sections:
        settings = settings.setdefault(section, {})
    settings[name] = list(value) if isinstance(value, tuple) else value


def with_settings(
    context: click.Context, recipe: str | None, defaults: AnyConfig, resume: str | None = None
) -> AnyConfig:
    """Returns the settings a command is to work with: defaults < recipe < command line, checked.

    Where a run is to be gone on with, its settings are the defaults.
    """
    if resume is not None:
        defaults = read_recipe(str(run_to_resume(resume).config), defaults)
    config = read_recipe(recipe, defaults) if recipe else defaults
    config = config.with_settings(context.ensure_object(dict))
    if resume is None:
        check_settings(config)
    return config
