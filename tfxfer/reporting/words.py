"""Sentences about a run, for the report and the model card: settings, training, metrics."""

import pathlib
import shlex
from collections.abc import Sequence

from tfxfer.config.decided import DecidedFit
from tfxfer.config.frame import AnySize, size_words
from tfxfer.config.recipes import changed_settings
from tfxfer.config.schema import FitConfig
from tfxfer.config.settings import option_of, setting_field
from tfxfer.errors import TfxferError
from tfxfer.evaluation.calibration import NO_TEMPERATURE
from tfxfer.evaluation.metrics import describe_correct, describe_gap
from tfxfer.evaluation.result import EvaluationResult
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.backbones.registry import find_backbone
from tfxfer.planning.description import (
    describe_adaptation,
    describe_augmentation,
    describe_gradual,
    describe_unfrozen,
    describe_weights,
)
from tfxfer.planning.wording import (
    describe_head,
    describe_regularization,
    describe_schedule,
)
from tfxfer.reporting.numbers.words import metric_of_epoch, optimism_in_words
from tfxfer.runs.history import Epoch
from tfxfer.runs.metrics_record import (
    ComparisonRecord,
    FitMetrics,
    Parameters,
    evaluation_split,
)
from tfxfer.runs.scores.calibration import CalibrationRecord
from tfxfer.runs.scores.caution import CautionScores
from tfxfer.runs.scores.summary import OUT_OF_FOLD
from tfxfer.system.run_layout import RunDirectory

# --calibrate is suggested if it lowers the calibration error by more than this.
_CALIBRATION_GAIN = 0.01

# With fewer images the report says that the interval is wide.
_FEW_IMAGES = 100


def verdict(result: EvaluationResult) -> list[str]:
    """Returns sentences on the accuracy, how certain it is, and the majority-class baseline."""
    low, high = (f"{100 * end:.1f}".removesuffix(".0") for end in result.intervals["accuracy"])
    lines = [
        f"{result.split.capitalize()} accuracy {result.accuracy:.1%} "
        f"({describe_correct(result.accuracy, result.num_examples)}; "
        f"95% interval {low} to {high})."
    ]
    if result.split == "validation":
        lines.append(
            "There is no test split. The validation images were also used to choose the best "
            "epoch, so this accuracy is slightly optimistic."
        )
    elif result.split == OUT_OF_FOLD:
        lines.append(
            "There is no test split, and no validation split judged this model: it was trained on "
            "all of these images. Each was predicted by another model, which was trained in the "
            "same way without it."
        )
    if result.num_examples < _FEW_IMAGES:
        lines.append(f"Fewer than {_FEW_IMAGES} images were evaluated, so the interval is wide.")
    if result.imbalanced:
        lines.append(
            "The classes are imbalanced: balanced accuracy (mean recall of the classes) "
            f"{result.balanced_accuracy:.1%}."
        )
    common = int(result.classes.support.max()) / result.num_examples
    lines.append(f"Baseline: always predicting the most frequent class gives {common:.1%}.")
    return lines


def calibration(found: CalibrationRecord | None, split: str) -> str | None:
    """Returns sentences on the calibration of a model; None if it was not measured."""
    if found is None or split not in found.errors:
        return None
    before, after = found.errors[split].error, found.errors[split].error_at_temperature
    temperature = found.temperature
    fitted_on = "out-of-fold predictions" if OUT_OF_FOLD in found.errors else "validation"
    if temperature == 1:
        return f"Calibration error {before:.3f} (ECE); {NO_TEMPERATURE}."
    if found.applied:
        return (
            f"Calibration error {after:.3f} (ECE) at temperature {temperature:.3g}, fitted on "
            f"{fitted_on} ({before:.3f} without)."
        )
    text = (
        f"Calibration error {before:.3f} (ECE). The temperature fitted on {fitted_on} is "
        f"{temperature:.3g}: the model is {found.confidence}."
    )
    if before - after > _CALIBRATION_GAIN:
        text += f" With --calibrate the error is {after:.3f}; the predicted classes do not change."
    return text


def asked(config: FitConfig) -> str:
    """Returns the command line for settings, without those at their default."""
    words = ["tfxfer", "fit"]
    for key, value in changed_settings(config).items():
        option = option_of(key)
        if setting_field(FitConfig, key).default is False:  # a flag
            words.append(option)
        elif isinstance(value, list | tuple):
            words += [word for one in value for word in (option, str(one))]
        else:
            words += [option, str(value)]
    return shlex.join(words)


def network(config: DecidedFit, parameters: Parameters | None, num_classes: int) -> str:
    """Returns a description of the classifier: backbone, weights, head and parameters."""
    sizes = f"at {_size(config.image_size)} pixels"
    if config.input_size != config.image_size:
        sizes += f" (upsampled in the model from {_size(config.input_size)})"
    if config.fit_images != "crop":
        sizes += f", images {config.frame.words}"
    sizes += f", {adapted}" if (adapted := describe_adaptation(config)) else ""
    backbone = _record(config.backbone)
    paper = f" ({backbone.paper})" if backbone else ""
    weights, plural = describe_weights(config.weights, quote=True), "s" * (num_classes > 1)
    text = (
        f"Backbone: {config.backbone}{paper}, {weights}, {sizes}. "
        f"Head: {', '.join(describe_head(config.head))}, {num_classes} output{plural}."
    )
    if config.test_time_views != "none":
        text += " Its logits are averaged over each image and its mirror image."
    if parameters:
        text += (
            f" {parameters.total:,} parameters in total, {parameters.trained:,} of them trained."
        )
    return text


def _size(size: AnySize) -> str:
    """Returns a size as text: "224", or "224 x 320"."""
    return str(size) if isinstance(size, int) else size_words(size)


def phases(config: DecidedFit, epochs: Sequence[Epoch], metrics: FitMetrics) -> list[str]:
    """Returns a description of each phase, and of the best epoch.

    Args:
        config: Settings of the run.
        epochs: Epochs of all phases.
        metrics: Its best epoch and its L2 penalties are read.
    """
    lines, best, average = [], metrics.best, metrics.average
    saved = "" if average and average.is_kept else " Its weights were saved."
    if config.head.epochs:
        lines.append(_head_phase(config, metrics))
    if config.finetune.epochs:
        lines.append(_finetune_phase(config, sum(epoch.phase == "finetune" for epoch in epochs)))
    lines += [
        f"{_kept(one, metrics)} (validation {metric_of_epoch(one, metrics)}, loss "
        f"{one.validation_loss:.4f}).{saved}"
        for one in epochs
        if best and (one.phase, one.epoch) == (best.phase, best.epoch) and one.is_validated
    ]
    if metrics.folds is not None and metrics.folds.final is not None:
        lines.append(f"The final model: {metrics.folds.final}. No validation images were left.")
    return lines + ([average.sentence] if average else [])


def _kept(epoch: Epoch, metrics: FitMetrics) -> str:
    """Returns which epoch was the best; a head that is solved in closed form has none."""
    if epoch.phase == "head" and metrics.target is not None and metrics.penalty is not None:
        return "Best: the head alone"
    return f"Best epoch: {epoch.epoch} of the {epoch.phase} phase"


def _head_phase(config: DecidedFit, metrics: FitMetrics) -> str:
    """Returns a description of the head phase, with the L2 penalty that validation chose."""
    is_number = metrics.target is not None
    schedule = describe_schedule(config.head, is_number=is_number)
    text = f"Head phase, backbone frozen: {schedule}"
    if metrics.penalty is not None and config.head.penalty is None:
        chosen, start = f"{metrics.penalty:g}", metrics.start_penalty
        text += (
            f" ({chosen})"
            if start is None
            else f" ({chosen}; fine-tuning starts from the head with penalty {start:g})"
        )
    text += "".join(f", {part}" for part in describe_regularization(config.head))
    views = config.head.augmented_views
    if views:
        text += f", {views} augmented view{'s' if views > 1 else ''} of each image"
    return text + "."


def _record(name: str) -> Backbone | None:
    """Returns the record of a backbone; None of a preset that is no longer there."""
    try:
        return find_backbone(name)
    except TfxferError:
        return None


def _finetune_phase(config: DecidedFit, num_epochs: int) -> str:
    """Returns a description of the finetune phase, of which `num_epochs` were run."""
    finetune = config.finetune
    backbone = _record(config.backbone)
    if backbone:
        what = describe_unfrozen(finetune.unfreeze, finetune.batch_norm, backbone)
        num_stages = len(backbone.unfrozen_stages(finetune.unfreeze))
    else:
        what, num_stages = f"the head and the backbone ({finetune.unfreeze})", 1
    text = f"Finetune phase, training {what}: {describe_schedule(finetune, num_stages)}"
    text += f", batch size {config.batch_size:,}"
    text += "".join(f", {part}" for part in describe_regularization(finetune))
    if backbone:
        text += "".join(f"; {line}" for line in describe_gradual(finetune, backbone))
    changes = describe_augmentation(finetune, config.augment)
    text += f". Augmentation: {changes}" if changes else ""
    if num_epochs < finetune.epochs:
        text += f". Ran {num_epochs} of {finetune.epochs} epochs"
    return text + "."


def transfer(comparison: ComparisonRecord | None) -> str | None:
    """Returns how much pretraining helped; None if that was not measured."""
    if comparison is None:
        return None
    return (
        f"Pretraining {comparison.verdict}: {comparison.split} accuracy "
        f"{comparison.pretrained.accuracy:.1%} with pretrained weights, "
        f"{comparison.scratch.accuracy:.1%} from random weights ({comparison.epochs} epochs), both "
        f"trained on {comparison.num_train:,} images. The difference is "
        f"{100 * comparison.gain:+.1f} percentage points (95% margin of error "
        f"{100 * comparison.margin:.1f})."
    )


def settings_to_repeat(run: RunDirectory, metrics: FitMetrics) -> pathlib.Path:
    """Returns the file of settings that repeats a run.

    Where the average of several trials is kept, or one with another seed, only a search finds them
    again, and only folds what they decided: the settings that the user gave.
    """
    average, search, folds = metrics.average, metrics.search, metrics.folds
    if folds is not None and folds.final is not None:
        return run.asked
    of_trials = average is not None and average.trials
    return run.asked if of_trials or (search and search.has_other_seed) else run.config


def remarks(metrics: FitMetrics) -> list[str]:
    """Returns what is to be known of the accuracy, and what the model calls unknown, if any."""
    folds = None if metrics.folds is None else metrics.folds.in_words()
    lines = describe_gap(metrics.splits), optimism(metrics), folds, caution(metrics.caution)
    return [line for line in lines if line]


def optimism(metrics: FitMetrics) -> str | None:
    """Returns by how much an accuracy is too high; None if it is that of a test split."""
    search = metrics.search
    if search is None or not search.num_trials or evaluation_split(metrics.splits) == "test":
        return None
    return (
        f"The best of {search.num_trials + 1} configurations, counting the head alone, was chosen "
        f"on the same images: this choice makes the {optimism_in_words(search.optimism, metrics)} "
        "(a bootstrap estimate, which does not include the choice of the epoch)."
    )


def caution(found: CautionScores | None) -> str | None:
    """Returns what the model calls unknown; None if it does not tell."""
    if found is None:
        return None
    limits, measured = found.limits, found.measured
    text = (
        "Unknown images: the SavedModel and predict also say whether an image is unlike the "
        f"training images (distance to the {limits.neighbor}th nearest of {limits.num_kept:,} "
        f"above {limits.threshold:.4f}; at most {limits.unknown_rate:.0%} false alarms), and which "
        f"classes it may have at {limits.coverage:.0%} coverage. Both limits are from "
        f"{limits.num_calibration:,} validation images that were set aside."
    )
    return text if measured is None else f"{text} Measured: {measured.describe()}."


def repeating(run: str, config: str = "config.toml") -> list[str]:
    """Returns the command that repeats a run, as one with another name.

    Args:
        run: Name of the run.
        config: Its settings.

    Examples:
        >>> " ".join(repeating("photos"))
        'tfxfer fit --config config.toml --run photos-again'
    """
    return ["tfxfer", "fit", "--config", config, "--run", f"{run}-again"]
