"""Checks that there are enough images for what a fit is to do, before its run is created."""

from tfxfer.config.schema import FitConfig
from tfxfer.data.source import Source
from tfxfer.errors import UsageError
from tfxfer.runs.scores.caution import least_images


def check_number_of_images(config: FitConfig, source: Source) -> None:
    """Checks that a fit has enough images for its settings.

    Args:
        config: The settings that the user gave.
        source: The opened data.

    Raises:
        UsageError: There are too few for the folds of a cross-validation, or for the rates of what
            is unknown.
    """
    num_train, num_validation = (len(source.splits[name]) for name in ("train", "validation"))
    if config.folds > num_train + num_validation:
        raise UsageError(
            f"Setting 'folds' (--folds) divides the images into {config.folds} folds, but there "
            f"are only {num_train + num_validation} for training and validation. Add images, or "
            "use fewer folds."
        )
    if not config.unknown:
        return
    needed = max(least_images(config.unknown_rate), least_images(1 - config.coverage))
    if num_validation // 2 < needed:
        raise UsageError(
            f"Setting 'unknown' (--unknown) sets half of the {num_validation:,} validation images "
            f"aside, but a false alarm rate of {config.unknown_rate:g} and a coverage of "
            f"{config.coverage:g} need at least {needed:,} images for that. Add images, raise "
            "--validation-fraction or --unknown-rate, or lower --coverage."
        )
