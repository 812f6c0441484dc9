"""The finetune phase: the head is trained together with the unfrozen part of the backbone."""

import dataclasses

import numpy as np

from tfxfer.config.decided import DecidedAugment, DecidedFinetune
from tfxfer.models.classifier import Classifier
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.training.activations import ActivationSource
from tfxfer.training.classifier_pair import Trainable
from tfxfer.training.epochs.state import generator_states, restore_generators
from tfxfer.training.phases import Materials, Phase, train_on_images


def finetune(
    given: Materials, trainable: Trainable, start: list[np.ndarray] | None
) -> ActivationSource:
    """Trains a part of the classifier on augmented images, unless the run is past this phase.

    Args:
        given: Materials of the fit, with the best weights so far in the journal.
        trainable: The trainable part.
        start: Initial weights of the head; None takes the best ones.

    Returns:
        The source of the classifier's outputs on each split.
    """
    config, classifiers, journal = given.config, given.classifiers, given.journal
    checkpoint = None
    if not journal.is_past("finetune"):
        checkpoint = _begin(given, start)
    source = given.source(trainable)
    if checkpoint is not None:
        given.note_trained()
        settings = dataclasses.replace(config.finetune, **vars(trainable))
        phase = finetune_phase("finetune", classifiers.trained, settings, config.augment)
        train_on_images(given, phase, source, checkpoint)
    return source


def finetune_phase(
    name: str, classifier: Classifier, settings: DecidedFinetune, augment: DecidedAugment
) -> Phase:
    """Returns a phase that fine-tunes, with the learning rates of each layer.

    Args:
        name: Name of the phase.
        classifier: The classifier to train.
        settings: Settings of the phase, all decided.
        augment: Augmentation of the training images.
    """
    factors = classifier.rate_factors(settings.unfreeze, settings.head_rate, settings.layer_decay)
    return Phase(name, settings, augment, settings.patience, factors, settings.ema)


def _begin(given: Materials, start: list[np.ndarray] | None) -> Checkpoint:
    """Starts or resumes the phase, and loads its initial weights into the classifier.

    The random state of dropout continues from the head phase.
    """
    classifier, journal = given.classifiers.trained, given.journal
    arrays = {"generators": generator_states(classifier.model)}
    if start is not None:
        arrays["start"] = start
    # The head's weights may stay the best: the epochs that follow may not improve on them.
    checkpoint = journal.begin("finetune", arrays)
    journal.restore_best(classifier.model)
    if "generators" in checkpoint.arrays:
        restore_generators(classifier.model, checkpoint.arrays["generators"])
    if "start" in checkpoint.arrays:
        classifier.head.set_weights(checkpoint.arrays["start"])
    return checkpoint
