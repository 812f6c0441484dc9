"""Checks of the opened data against the settings, before a run is created or resumed."""

import pathlib

from tfxfer.config.schema import AnyConfig, FitConfig
from tfxfer.data.seen import read_seen
from tfxfer.data.source import Source
from tfxfer.errors import UsageError
from tfxfer.runs.places import run_settings
from tfxfer.runs.scores.caution import least_images
from tfxfer.system.run_layout import RunDirectory


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


def check_content(kind: type[AnyConfig], config: AnyConfig, source: Source) -> None:
    """Checks that the data are those of the run that would be resumed, if any.

    Only the content counts: the data may have been moved or renamed.

    Args:
        kind: Type of the record of settings.
        config: The settings.
        source: The opened data.

    Raises:
        UsageError: The run would be resumed, and the data differ.
    """
    if config.run is None:
        return
    run = RunDirectory(pathlib.Path(config.runs_dir, config.run))
    if not run.is_interrupted:
        return
    was, seen = run_settings(run, kind).data, read_seen(run.seen)
    if was != config.data and seen is not None and seen.fingerprint != source.fingerprint():
        raise UsageError(
            f"Cannot resume '{run.path}': it was started with data '{was}', now '{config.data}', "
            "whose images, labels or splits differ. Give the same data (they may have been moved), "
            "or choose another --run."
        )
