"""Phrases of a plan, whatever is trained on."""

import pathlib
from collections.abc import Mapping

from tfxfer.config.decided import (
    DecidedFinetune,
    DecidedFit,
    DecidedHead,
    DecidedTraining,
    GradientPhase,
    SolvedHead,
)
from tfxfer.system.run_layout import RunDirectory

# Optimizers by the names that papers use.
_OPTIMIZERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}

# What is done with the weights after fine-tuning, by the setting `finetune.average`.
_AVERAGES = {
    "soup": "at the end a greedy soup of the best weights, if it lowers the validation loss",
    "wise": "at the end WiSE-FT (interpolation with the weights before fine-tuning), if it lowers "
    "the validation loss",
}


def plan_row(name: str, text: str) -> str:
    """Returns a line of the plan. Further lines of the same row have an empty name."""
    return f"{name:16s}{text}"


def describe_next_steps(page: pathlib.Path, steps: Mapping[str, str]) -> str:
    """Returns where the report is, and what to do next.

    Args:
        page: The report.
        steps: What each command does.
    """
    lines = [line for command, what in steps.items() for line in (f"  # {what}", f"  {command}")]
    return "\n".join([plan_row("report", str(page)), "", "Next:", *lines])


def describe_schedule(
    phase: SolvedHead | GradientPhase,
    num_stages: int = 0,
    *,
    is_number: bool = False,
    chosen_by: str = "validation",
) -> str:
    """Returns the optimizer of a phase, its epochs or iterations, and its learning rate.

    Args:
        phase: Settings of the phase, all decided.
        num_stages: Stages of the backbone that the finetune phase trains; 0 for other phases.
        is_number: Whether a number is predicted.
        chosen_by: What the L2 penalty is chosen on, if it is open.
    """
    if phase.optimizer == "lbfgs":
        penalty = f"chosen on {chosen_by}" if phase.penalty is None else f"{phase.penalty:g}"
        if is_number:
            return f"ridge regression in closed form, L2 penalty {penalty}"
        return f"L-BFGS, up to {counted(phase.epochs, 'iteration')}, L2 penalty {penalty}"
    parts = [
        _OPTIMIZERS[phase.optimizer],
        counted(phase.epochs, "epoch"),
        f"learning rate {phase.learning_rate:g}{_describe_rates(phase, num_stages)}",
    ]
    parts += [f"warmup {counted(phase.warmup_epochs, 'epoch')}"] if phase.warmup_epochs else []
    parts += ["cosine decay"] if phase.decay == "cosine" else []
    return ", ".join(parts)


def _describe_rates(phase: GradientPhase, num_stages: int) -> str:
    """Returns the learning rates of head and stages that differ from the phase's, or nothing."""
    if not isinstance(phase, DecidedFinetune) or not num_stages:
        return ""
    peak = phase.learning_rate
    parts = [f"head {phase.head_rate * peak:.3g}"] if phase.head_rate != 1 else []
    if phase.layer_decay != 1 and num_stages > 1:
        least = phase.layer_decay ** (num_stages - 1) * peak
        parts.append(f"first to last stage: {least:.3g} to {peak:.3g}")
    return f" ({'; '.join(parts)})" if parts else ""


def counted(number: float, unit: str) -> str:
    """Returns a number with its unit: "1 epoch", "0.5 epochs"."""
    return f"{number:g} {unit}" + ("" if number == 1 else "s")


def describe_regularization(phase: SolvedHead | GradientPhase) -> list[str]:
    """Returns a line on weight decay, clipping and averaging, or no line if there are none."""
    parts = [f"weight decay {phase.weight_decay:g}"] if phase.weight_decay else []
    parts += [f"gradient norm clipped at {phase.clip_norm:g}"] if phase.clip_norm else []
    if isinstance(phase, DecidedFinetune) and phase.ema:
        parts.append(f"weights averaged over steps (EMA {phase.ema:g})")
    if isinstance(phase, DecidedFinetune) and phase.average != "none":
        parts.append(_AVERAGES[phase.average])
    return [", ".join(parts)] if parts else []


def describe_arithmetic(config: DecidedTraining) -> str:
    """Returns the precision of a run, and whether XLA compiles its steps."""
    return config.precision + (", compiled by XLA" if config.xla == "on" else "")


def describe_devices(devices: str) -> list[str]:
    """Returns a line on the devices that train, or no line if only one is visible.

    Args:
        devices: See `Devices.describe`.
    """
    return [plan_row("devices", devices)] if devices else []


def describe_budget(config: DecidedTraining, *, searched: bool = False) -> list[str]:
    """Returns a line on the time budget of a run, or no line if there is none.

    Args:
        config: Settings of the run.
        searched: Whether a thorough search uses all of it.
    """
    if config.max_minutes is None:
        return []
    minutes = counted(config.max_minutes, "minute")
    what = (
        "configurations that do not fit are not begun"
        if searched
        else "fewer epochs than above if they do not fit"
    )
    return [plan_row("time budget", f"{minutes}; {what}")]


def describe_results(run: RunDirectory) -> list[str]:
    """Returns the lines on where the results go, and whether a run is resumed."""
    lines = [plan_row("results", str(run.path))]
    if run.is_interrupted:
        lines.append(plan_row("", "resumes an interrupted run with the same settings"))
    return lines


def describe_head(head: DecidedHead) -> list[str]:
    """Returns the layers of a head before its outputs, in order."""
    hidden = [f"{units} hidden units" for units in head.hidden_units]
    pooling = f"{head.pooling} pooling{_of_stages(head.stages)}"
    return [pooling, *hidden, f"dropout {head.dropout:g}"]


def _of_stages(asked: str | None) -> str:
    """Returns which stages a head reads, by its setting; nothing for the last one alone."""
    if asked is None:
        return ""
    if asked == "all":
        return " of all stages"
    if asked.isdecimal():
        return f" of the last {counted(int(asked), 'stage')}"
    return f" of {', '.join(name.strip() for name in asked.split(','))} and the last stage"


def describe_comparison(config: DecidedFit, num_train: int) -> list[str]:
    """Returns a line on the comparison with random weights, or no line if there is none."""
    if not config.compare_scratch:
        return []
    count = config.compare_examples
    images = "all training images"
    if count is not None and count < num_train:
        images = f"{count:,} training images"
    return [plan_row("comparison", f"pretrained and random weights, each on {images}")]
