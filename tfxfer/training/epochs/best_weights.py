"""The best weights of a run: where fine-tuning starts, and what is saved at the end."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator

import keras
import numpy as np

from tfxfer.errors import DivergenceError
from tfxfer.models.objectives import Objective
from tfxfer.runs.checkpoints import Checkpoint
from tfxfer.runs.journal import TRAINED, Journal
from tfxfer.system.files import replacing
from tfxfer.training.epochs.state import generator_states, restore_generators


def begin_finetuning(
    journal: Journal,
    model: keras.Model,
    head: keras.Model,
    start: list[np.ndarray] | None,
) -> Checkpoint:
    """Starts or resumes the finetune phase, and loads its initial weights into the classifier.

    The random state of dropout continues from the head phase.

    Args:
        journal: Journal of the run, with the best weights so far.
        model: The classifier.
        head: Its head.
        start: Initial weights of the head; None takes the best ones.
    """
    arrays = {"generators": generator_states(model)}
    if start is not None:
        arrays["start"] = start
    # The head's weights may stay the best: the epochs that follow may not improve on them.
    checkpoint = journal.begin("finetune", arrays)
    journal.restore_best(model)
    if "generators" in checkpoint.arrays:
        restore_generators(model, checkpoint.arrays["generators"])
    if "start" in checkpoint.arrays:
        head.set_weights(checkpoint.arrays["start"])
    return checkpoint


def say_what_is_best(journal: Journal, objective: Objective, of_trial: bool = False) -> None:
    """Says which epochs of fine-tuning are marked as the best.

    Args:
        journal: Journal of the run, with the epochs of the head phase, if it had one.
        objective: What ranks the epochs.
        of_trial: Whether several trials follow, each with a best epoch of its own.
    """
    rivals = "all earlier epochs of the same trial" if of_trial else "all earlier epochs"
    if any(epoch.phase == "head" for epoch in journal.history.epochs):
        rivals = f"the head alone (no fine-tuning) and {rivals}"
    journal.say(f"finetune: 'best' marks an epoch better than {rivals}, by {objective.rank_by}")


def finish(journal: Journal, model: keras.Model, path: pathlib.Path) -> None:
    """Loads the best weights of all phases into a model, and saves them as final.

    Args:
        journal: Journal of the run.
        model: The model; its best weights are in `journal.best` or, if the run had got this far
            before it was interrupted, in the file.
        path: The weights file.
    """
    if journal.found is None:
        journal.restore_best(model)
        with replacing(path) as temporary:
            model.save_weights(temporary)
        journal.best = None  # the file has them
    else:
        model.load_weights(path)
    journal.begin(TRAINED)
    journal.history.close()


@contextlib.contextmanager
def saving_best_weights(
    journal: Journal, model: keras.Model, save: Callable[[], None], path: pathlib.Path
) -> Iterator[None]:
    """Saves the best weights so far if training inside diverges, and says so.

    Args:
        journal: Journal of the run.
        model: Receives the best weights.
        save: Saves the model.
        path: Where `save` writes, for the message.

    Raises:
        DivergenceError: Training diverged; the message names the saved file, if any.
    """
    try:
        yield
    except DivergenceError as error:
        best = journal.history.best
        # While a head is trained on features, the model does not have its weights yet.
        if best is None or journal.best is None or journal.best.part != "model":
            raise
        journal.restore_best(model)
        save()
        which, score = "best", f", validation accuracy {best.validation_accuracy:.4f}"
        if not best.is_validated:
            which, score = "last", ""
        raise DivergenceError(
            f"{error} The {which} weights so far (epoch {best.epoch} of the {best.phase} phase"
            f"{score}) were saved to '{path}'."
        ) from None
