"""`evaluate`: how well a finished classifier does on data."""

import pathlib

from tfxfer.evaluation.result import EvaluationResult
from tfxfer.evaluation.scoring import score
from tfxfer.inference.loading import load
from tfxfer.system.isolation import isolated


@isolated
def evaluate(
    model: str | pathlib.Path,
    *,
    data: str | None = None,
    data_dir: str | None = None,
    split: str | None = None,
    batch_size: int = 64,
) -> EvaluationResult:
    """Returns how a classifier does on a split of its own data or of others.

    A run evaluated on its own data sees the very splits it was trained with, wherever these lie
    now. Of other data, images that it was trained on are in no split that judges it; see
    `seen.bound`. Classes of other data are matched by name. A SavedModel is asked by its own
    signature: what is found is of what is served.

    Args:
        model: A run's directory, a `.keras` file with `classes.txt` beside it, or a SavedModel that
            `tfxfer export` published.
        data: As for `fit`; None takes the run's own.
        data_dir: Where TFDS data lie; None takes the run's own.
        split: "train", "validation", "test" or "all"; None takes the test split, or validation
            where the data have no test split, or all where they have neither.
        batch_size: Images per step; no influence on the result.

    Raises:
        UsageError: The model, the data or the split is not there.
        DataError: The data's classes are not the model's, or images cannot be read.
    """
    trained = load(model)
    source = trained.open_source(data, data_dir)
    return score(trained, source, split or source.judging, batch_size)
