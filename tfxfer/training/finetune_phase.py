"""The finetune phase: the head is trained together with what of the backbone is unfrozen."""

import numpy as np

from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.training.activations import ActivationSource
from tfxfer.training.classifier_pair import Trainable
from tfxfer.training.epochs.state import generator_states, restore_generators
from tfxfer.training.phases import Materials, Phase, train_on_images


def finetune(
    given: Materials, trainable: Trainable, start: list[np.ndarray] | None
) -> ActivationSource:
    """Trains a part of the classifier on augmented images, unless the run is past that.

    Args:
        given: With the best weights so far in its journal.
        trainable: The part.
        start: Weights of the head at which the phase begins; None is the best ones.

    Returns:
        What judges the classifier.
    """
    config, classifiers, journal = given.config, given.classifiers, given.journal
    begun = None
    if not journal.is_past("finetune"):
        begun = _begin(given, start)
    classifiers.set_trainable(trainable)
    source = ActivationSource(config, classifiers.exact.halves(), given.images)
    if begun is not None:
        given.note_trained()
        settings = config.finetune
        phase = Phase("finetune", settings, config.augment, settings.patience)
        train_on_images(given, phase, source, begun)
    return source


def _begin(given: Materials, start: list[np.ndarray] | None) -> Checkpoint:
    """Begins the phase or finds it again, with the weights that it begins with in the classifier.

    Dropout goes on where the head phase left it.
    """
    classifier, journal = given.classifiers.trained, given.journal
    arrays = {"generators": generator_states(classifier.model)}
    if start is not None:
        arrays["start"] = start
    # The best may be the head's, for none of the epochs that follow may be better.
    begun = journal.begin("finetune", arrays)
    journal.put_best(classifier.model)
    if "generators" in begun.arrays:
        restore_generators(classifier.model, begun.arrays["generators"])
    if "start" in begun.arrays:
        classifier.head.set_weights(begun.arrays["start"])
    return begun
