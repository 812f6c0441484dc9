"""`evaluate`: evaluates a trained classifier on data."""

import pathlib

from tfxfer.api.modality import by_model
from tfxfer.evaluation.cautious import choosing_images
from tfxfer.evaluation.predictions import AnyResult
from tfxfer.evaluation.scoring import out_of_fold_result, score
from tfxfer.inference.loading import load
from tfxfer.system.isolation import isolated


@isolated
@by_model
def evaluate(
    model: str | pathlib.Path,
    *,
    data: str | None = None,
    data_dir: str | None = None,
    split: str | None = None,
    batch_size: int = 64,
) -> AnyResult:
    """Evaluates a classifier on a split of its own data or of other data.

    On its own data, a run is evaluated on the splits it was trained with; of its validation images
    those that `fit --unknown` set aside are left out, as by the fit. In other data, images
    that the model was trained on are left out of the evaluation split (see `seen.bound`), and
    classes are matched by name. A SavedModel is evaluated through its serving signature.

    Args:
        model: A run's directory, a `.keras` file with `classes.txt` next to it, or a SavedModel
            published by `tfxfer export`.
        data: The data, as for `fit`; by default the run's own.
        data_dir: Directory of TFDS datasets; by default the run's own.
        split: "train", "validation", "test" or "all"; by default "test", or "validation" if the
            data have no test split, or "all" if they have neither. Of a run that was trained on
            all its images after folds, these predictions are evaluated instead of "all".
        batch_size: Images per step; does not change the result.

    Returns:
        Metrics with their intervals, and the probabilities and labels of all images.

    Raises:
        UsageError: The model, the data or the split does not exist.
        DataError: The data have other classes than the model, or unreadable images.

    Examples:
        >>> import tfxfer
        >>> result = tfxfer.evaluate("runs/digits-resnet10_small")  # doctest: +SKIP
        >>> result.accuracy  # doctest: +SKIP
        0.9916434540389972
        >>> tfxfer.evaluate("runs/photos", data="new_photos", split="all")  # doctest: +SKIP
    """
    trained = load(model)
    source = choosing_images(trained, trained.open_source(data, data_dir))
    name = split or source.evaluation_split
    found = out_of_fold_result(trained, source) if split is None else None
    return score(trained, source, name, batch_size) if found is None else found
