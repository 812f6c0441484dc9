"""The finetune phase: the head is trained together with the unfrozen part of the backbone."""

import dataclasses

import numpy as np

from tfxfer.config.decided import DecidedAugment, DecidedFinetune
from tfxfer.models.classifier import Classifier
from tfxfer.system.processes.team import alone, is_first
from tfxfer.training.averaging.phase import average_epochs, new_pool, passes_of_averaging
from tfxfer.training.classifier_pair import Trainable
from tfxfer.training.epochs.best_weights import begin_finetuning, say_what_is_best
from tfxfer.training.frozen.activations import ActivationSource
from tfxfer.training.phases import Materials, Phase
from tfxfer.training.rates.gradual import train_finetuning


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
        trained = classifiers.trained
        checkpoint = begin_finetuning(journal, trained.model, trained.head, start)
    source = given.source(trainable)
    if checkpoint is not None:
        given.note_trained()
        if given.is_validated:
            say_what_is_best(journal, classifiers.trained.objective)
        settings = dataclasses.replace(config.finetune, **vars(trainable))
        phase = dataclasses.replace(
            finetune_phase("finetune", classifiers.trained, settings, config.augment),
            pool=new_pool(given, settings, checkpoint.arrays),
            passes_after=passes_of_averaging(settings),
        )
        training = train_finetuning(given, phase, source, journal, checkpoint)
        if is_first():
            with alone():
                average_epochs(given, settings, source, training)
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
