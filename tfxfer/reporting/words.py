"""What was asked of a run, what it did and what came out, in sentences."""

import shlex
from collections.abc import Sequence

from tfxfer.config.decided import DecidedFit
from tfxfer.config.recipes import changed_settings
from tfxfer.config.schema import FitConfig
from tfxfer.config.settings import option_of, setting_field
from tfxfer.evaluation.metrics import BOOTSTRAP_SAMPLES
from tfxfer.evaluation.result import EvaluationResult
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.planning.description import (
    describe_changes,
    describe_head,
    describe_regularisation,
    describe_schedule,
    describe_unfrozen,
    describe_weights,
)
from tfxfer.runs.history import Epoch
from tfxfer.runs.metrics_record import BestEpoch, CalibrationRecord, ComparisonRecord, Parameters

# Where the calibration error would be that much less, a temperature is worth its while.
_CALIBRATION_GAIN = 0.01

# The interval of so few images says more than the number itself.
_FEW_IMAGES = 100


def verdict(result: EvaluationResult) -> list[str]:
    """Returns what came out, and how far it can be believed."""
    low, high = result.intervals["accuracy"]
    right = round(result.accuracy * result.num_examples)
    lines = [
        f"{right:,} of {result.num_examples:,} {result.split} images are recognised: "
        f"{result.accuracy:.1%}. Other images of the same kind would give between {low:.1%} and "
        f"{high:.1%} (95% of {BOOTSTRAP_SAMPLES:,} bootstrap samples)."
    ]
    if result.split == "validation":
        lines.append(
            "The data have no test split: the validation images also chose the epoch that was "
            "kept, so that the number is a little better than new images would give."
        )
    if result.num_examples < _FEW_IMAGES:
        lines.append("These are few images to judge by.")
    if result.uneven_classes:
        lines.append(
            f"The classes are uneven: the balanced accuracy, in which each counts the same, is "
            f"{result.balanced_accuracy:.1%}."
        )
    common = int(result.classes.support.max()) / result.num_examples
    lines.append(f"Always answering with the most frequent class would be right for {common:.1%}.")
    return lines


def calibration(found: CalibrationRecord | None, split: str) -> str | None:
    """Returns how far the probabilities can be believed, None where nothing is known of it."""
    if found is None or split not in found.errors:
        return None
    before, after = found.errors[split].error, found.errors[split].error_at_temperature
    temperature = found.temperature
    if temperature == 1:
        return f"The calibration error is {before:.3f}; validation asks for no temperature."
    if found.applied:
        return (
            f"The model's probabilities are at temperature {temperature:.3g}, fitted on "
            f"validation: the calibration error is {after:.3f}, without it {before:.3f}."
        )
    sureness = "surer than it is right" if temperature > 1 else "less sure than it is right"
    text = (
        f"The calibration error is {before:.3f}. The temperature that suits validation is "
        f"{temperature:.3g}: on these images the model is {sureness}."
    )
    if before - after > _CALIBRATION_GAIN:
        text += f" With --calibrate the error would be {after:.3f}, and every answer the same."
    return text


def asked(config: FitConfig) -> str:
    """Returns the command that asks for settings, without those that have their default."""
    words = ["tfxfer", "fit"]
    for key, value in changed_settings(config).items():
        option = option_of(key)
        if setting_field(FitConfig, key).default is False:  # then it is on, by a switch
            words.append(option)
        elif isinstance(value, list | tuple):
            words += [word for one in value for word in (option, str(one))]
        else:
            words += [option, str(value)]
    return shlex.join(words)


def network(config: DecidedFit, parameters: Parameters | None, num_classes: int) -> str:
    """Returns what the classifier is."""
    sizes = f"at {config.image_size} pixels"
    if config.input_size != config.image_size:
        sizes += f", upsampled in the model from {config.input_size}"
    paper = BACKBONES[config.backbone].paper
    weights = describe_weights(config.weights, quote=True)
    text = (
        f"{config.backbone} ({paper}) with {weights}, {sizes}; "
        f"instead of its last layer {', '.join(describe_head(config.head))} and {num_classes} "
        "outputs."
    )
    if parameters:
        text += (
            f" {parameters.total:,} parameters, of which up to {parameters.trained:,} were trained."
        )
    return text


def phases(
    config: DecidedFit,
    epochs: Sequence[Epoch],
    penalty: float | None,
    best: BestEpoch | None,
) -> list[str]:
    """Returns what each phase did.

    Args:
        config: Of the run.
        epochs: Of all phases.
        penalty: Of the head, where L-BFGS solved it.
        best: The one whose weights are kept.
    """
    told = []
    if config.head.epochs:
        told.append(_head_phase(config, penalty))
    if config.finetune.epochs:
        told.append(_finetune_phase(config, sum(epoch.phase == "finetune" for epoch in epochs)))
    told += [
        f"Kept was epoch {one.epoch} of the {one.phase} phase, the best on validation: accuracy "
        f"{one.validation_accuracy:.4f}, loss {one.validation_loss:.4f}."
        for one in epochs
        if best and (one.phase, one.epoch) == (best.phase, best.epoch)
    ]
    return told


def _head_phase(config: DecidedFit, penalty: float | None) -> str:
    """Returns what the head phase did; the penalty is that of L-BFGS."""
    text = "The head was trained with the backbone frozen, each image passing it once"
    if config.head.augmented_views:
        text += f", with {config.head.augmented_views} changed views of it"
    text += f": {describe_schedule(config.head)}"
    text += "".join(f", {part}" for part in describe_regularisation(config.head))
    if penalty is not None and config.head.penalty is None:
        text += f", which was {penalty:g}"
    return text + "."


def _finetune_phase(config: DecidedFit, num_epochs: int) -> str:
    """Returns what the finetune phase did, in so many epochs."""
    finetune = config.finetune
    what = describe_unfrozen(finetune.unfreeze, finetune.batch_norm, BACKBONES[config.backbone])
    text = f"Then {what}" if config.head.epochs else what[0].upper() + what[1:]
    text += f": {describe_schedule(finetune)}, in batches of {config.batch_size:,}"
    text += "".join(f", {part}" for part in describe_regularisation(finetune))
    changes = describe_changes(config.augment)
    text += f"; the images changed by {', '.join(changes)}" if changes else ""
    if num_epochs < finetune.epochs:
        text += f"; {num_epochs} of the {finetune.epochs} epochs were run"
    return text + "."


def transfer(comparison: ComparisonRecord | None) -> str | None:
    """Returns what pretraining was worth, None where that was not measured."""
    if comparison is None:
        return None
    return (
        f"Pretraining {comparison.verdict}: on {comparison.num_train:,} training images the "
        f"{comparison.split} accuracy is {comparison.pretrained.accuracy:.4f}, from random weights "
        f"after {comparison.epochs} epochs {comparison.scratch.accuracy:.4f}, a gain of "
        f"{100 * comparison.gain:+.1f} points where chance explains "
        f"{100 * comparison.margin:.1f}."
    )
