"""Trains a backbone from scratch."""

from collections.abc import Mapping

import keras
import numpy as np

from tfxfer.data.batches import evaluation_batches
from tfxfer.data.image.augmentation.mixing import mixes_images
from tfxfer.data.image.dataset import Images
from tfxfer.data.weighting import training_weights
from tfxfer.models.classifier import copy_weights
from tfxfer.models.layers import in_float32
from tfxfer.models.objectives import Scores
from tfxfer.planning.plan import PretrainPlan
from tfxfer.system.files import replacing
from tfxfer.training.epochs.best_weights import finish, saving_best_weights
from tfxfer.training.epochs.trainer import PhaseTraining
from tfxfer.training.epochs.validation import SCORED_SPLITS, Predictor
from tfxfer.training.phases import image_batches
from tfxfer.training.preparation import PreparedRun


def train_epochs(run: PreparedRun[PretrainPlan]) -> None:
    """Trains the whole network; the best weights end up in the classifier.

    Args:
        run: A run that was started or resumed.

    Raises:
        DivergenceError: The loss became NaN or far too high; the best weights so far are saved.
        InterruptionError: A signal was received; a checkpoint was saved.
    """
    plan, images, journal = run.plan, run.images, run.journal
    config, model = plan.config, run.classifier.model
    labels, objective = images["validation"].labels, run.classifier.objective
    train = images["train"].weighted(training_weights(images["train"].split, "none"))
    batches = evaluation_batches(images["validation"], config.batch_size)
    exact = in_float32(model)  # as it is saved
    predictor = Predictor(exact, batches, labels, config.batch_size, "validation")

    def validate() -> Scores:
        copy_weights(model, exact)
        return objective.scores(predictor.outputs(), labels, config.label_smoothing)

    def save() -> None:
        with replacing(plan.run.best_weights) as temporary:
            model.save_weights(temporary)

    if not journal.is_past("pretrain"):
        checkpoint = journal.begin("pretrain")
        with saving_best_weights(journal, model, save, plan.run.best_weights):
            PhaseTraining(
                journal=journal,
                config=config,
                name="pretrain",
                phase=config,
                model=model,
                kept=model,
                batches=image_batches(train, config, config.augment, model.output_shape[-1]),
                validate=validate,
                objective=objective.of_soft_targets()
                if mixes_images(config.augment)
                else objective,
            ).run(checkpoint)
    finish(journal, model, plan.run.best_weights)


def predict_splits(
    model: keras.Model, images: Mapping[str, Images], batch_size: int
) -> dict[str, np.ndarray]:
    """Returns the outputs of a model on the validation and test splits, if they exist.

    Args:
        model: Maps images in [0, 255] to probabilities.
        images: The splits by name.
        batch_size: Images per batch; does not change the result.

    Returns:
        Probabilities by name of the split, (num_examples, num_classes).
    """
    found = {}
    for name in SCORED_SPLITS:
        if name in images:
            labels = images[name].labels
            batches = evaluation_batches(images[name], batch_size)
            found[name] = Predictor(model, batches, labels, batch_size, name).outputs()
    return found
