"""`evaluate` on texts."""

import pathlib

from tfxfer.errors import UsageError
from tfxfer.evaluation.result import EvaluationResult
from tfxfer.text.serving.loading import load_texts
from tfxfer.text.serving.scoring import score_texts


def evaluate(
    model: str | pathlib.Path,
    *,
    data: str | None = None,
    data_dir: str | None = None,
    split: str | None = None,
    batch_size: int = 64,
) -> EvaluationResult:
    """Evaluates a classifier of texts on a split of its own data or of other data.

    See `tfxfer.evaluate`.
    """
    refuse_data_dir(data_dir)
    trained = load_texts(model)
    source = trained.open_source(data)
    return score_texts(trained, source, split, is_own=data is None, batch_size=batch_size).result


def refuse_data_dir(data_dir: str | None) -> None:
    """Raises a UsageError for the directory of TFDS datasets."""
    if data_dir is not None:
        raise UsageError(
            "Option --data-dir is for TFDS datasets of images; texts come from folders and "
            "manifests. Leave it out."
        )
