"""`evaluate` on texts."""

import pathlib

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
    trained = load_texts(model)
    source = trained.open_source(data, data_dir)
    return score_texts(trained, source, split, is_own=data is None, batch_size=batch_size).result
