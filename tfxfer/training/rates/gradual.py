"""Gradual unfreezing: the finetune phase in parts, each of which trains more stages."""

import dataclasses

from tfxfer.config.decided import DecidedFinetune
from tfxfer.models.backbones.backbone import unfrozen_stages
from tfxfer.planning.unfreezing import Part, gradual_parts
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.search.journals import PhaseJournal
from tfxfer.training.classifier_pair import Trainable
from tfxfer.training.epochs.trainer import PhaseTraining
from tfxfer.training.frozen.activations import ActivationSource
from tfxfer.training.phases import Materials, Phase, phase_training


def train_finetuning(
    given: Materials,
    phase: Phase,
    source: ActivationSource,
    journal: PhaseJournal,
    checkpoint: Checkpoint,
) -> PhaseTraining:
    """Trains a finetune phase, in parts if it unfreezes gradually.

    Args:
        given: Materials of the fit; all that the phase trains is trainable, also afterwards.
        phase: The phase.
        source: Source of the float32 classifier's outputs.
        journal: Journal of the fit, or of a trial.
        checkpoint: Where the phase starts or resumes.

    Returns:
        The training of the whole phase.

    Raises:
        DivergenceError: The loss became NaN or far too high.
        InterruptionError: A signal was received; a checkpoint was saved.
    """
    whole = phase_training(given, phase, source, journal)
    settings = phase.settings
    if not isinstance(settings, DecidedFinetune) or not settings.gradual:
        whole.run(checkpoint)
        return whole
    _train_gradually(given, phase, settings, whole, checkpoint)
    given.classifiers.set_trainable(Trainable.of(settings))
    return whole


def _train_gradually(
    given: Materials,
    phase: Phase,
    settings: DecidedFinetune,
    whole: PhaseTraining,
    checkpoint: Checkpoint,
) -> None:
    """Trains the parts that remain, one after the other.

    Each part has a new optimizer and, if there is one, a new average of the weights: those of the
    part before know nothing of the stages that are new. The learning rate goes on along the
    schedule of the whole phase.
    """
    journal, fitted = whole.journal, whole.within_budget()
    stages = unfrozen_stages(list(given.classifiers.trained.stages), settings.unfreeze)
    parts = gradual_parts(stages, fitted.phase.epochs)
    epoch, step = checkpoint.state["epoch"], checkpoint.state["step"]
    first = next((n for n, part in enumerate(parts) if part.has(epoch, step)), len(parts))
    for part in parts[first:]:
        training = _training_of(part, given, phase, settings, fitted)
        if part is not parts[first]:
            state = {"epoch": part.first, "step": 0, "waited": _waited(journal, phase.name)}
            checkpoint = Checkpoint(state)
        if "model" not in checkpoint.arrays and part.first:
            journal.say(f"{phase.name}: trains from stage {part.unfreeze} on")
        training.run_span(checkpoint)


def _training_of(
    part: Part,
    given: Materials,
    phase: Phase,
    settings: DecidedFinetune,
    whole: PhaseTraining,
) -> PhaseTraining:
    """Returns the training of a part, whose stages are made trainable."""
    source = given.source(Trainable(part.unfreeze, settings.batch_norm))
    factors = given.classifiers.trained.rate_factors(
        part.unfreeze, settings.head_rate, settings.layer_decay
    )
    phase = dataclasses.replace(phase, rate_factors=factors)
    training = phase_training(given, phase, source, whole.journal)
    return dataclasses.replace(
        training,
        phase=whole.phase,
        batches=dataclasses.replace(training.batches, steps=whole.batches.steps),
        span=(part.first, part.end),
    )


def _waited(journal: PhaseJournal, phase: str) -> int:
    """Returns the number of epochs of a phase since its best one."""
    epochs, best = [one for one in journal.history.epochs if one.phase == phase], 0
    for number, epoch in enumerate(epochs, start=1):
        if epoch == journal.history.best:
            best = number
    return len(epochs) - best
