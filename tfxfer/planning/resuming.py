"""Which run to resume, and whether it can be resumed."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from tfxfer.config.recipes import differing_setting, read_recipe
from tfxfer.config.schema import AnyConfig, RunConfig
from tfxfer.errors import UsageError
from tfxfer.runs.naming import named_run, numbered_run, run_to_resume
from tfxfer.runs.places import absolute, missing_data, settings_to_resume, with_unchanged_places
from tfxfer.system.run_layout import RunDirectory


def asked_settings(
    kind: type[AnyConfig],
    config: AnyConfig | None,
    settings: Mapping[str, Any],
    resume: str | pathlib.Path | RunDirectory | None = None,
) -> AnyConfig:
    """Returns the settings that the user gave: by name, over a record, over the defaults.

    Args:
        kind: Type of the record.
        config: A record of settings, or None.
        settings: Settings by name; see `RunConfig.with_settings`.
        resume: A run to resume. Its settings replace the defaults.

    Raises:
        UsageError: A setting is wrong, or differs from that of the run to resume.
    """
    if resume is None:
        return (config or kind()).with_settings(settings)
    run = run_to_resume(resume)
    theirs = settings_to_resume(run, kind)
    ours = with_unchanged_places((config or theirs).with_settings(settings), run, theirs)
    for name in ("precision", "xla", "fit_images"):  # decided when the run started
        if ours.get(name) == "auto":
            ours = dataclasses.replace(ours, **{name: theirs.get(name)})
    _check_same(run, theirs, ours)
    missing = missing_data(run, theirs) if ours.data == theirs.data else []
    if missing and not run.is_finished:
        places = " or ".join(f"'{place}'" for place in missing)
        raise UsageError(
            f"Cannot resume '{run.path}': its data are no longer in {places}. Give their new "
            "location with --data."
        )
    return dataclasses.replace(ours, run=run.path.name, runs_dir=str(run.path.parent))


def first_asked(run: RunDirectory, config: AnyConfig) -> AnyConfig:
    """Returns the settings that the user gave when a run was started.

    Args:
        run: A run to start or to resume.
        config: The settings given now; those of a run that is resumed by name are all decided.
    """
    if run.is_interrupted and run.asked.is_file():
        return read_recipe(run.asked, type(config)())
    return config


def choose_run(kind: type[RunConfig], decided: RunConfig, default_name: str) -> RunDirectory:
    """Returns the run that the user named, else the first that is new or has these settings.

    Args:
        kind: Type of the record of settings.
        decided: The decided settings.
        default_name: Name of the run if the user gave none.

    Raises:
        UsageError: The named run exists and has other settings.
    """

    def same(run: RunDirectory) -> bool:
        try:
            theirs = absolute(settings_to_resume(run, kind))
            return differing_setting(theirs, absolute(decided)) is None
        except UsageError:  # written by another version or another command
            return False

    if decided.run is None:
        return numbered_run(decided.runs_dir, default_name, same)
    run = named_run(decided.runs_dir, decided.run)
    if run.is_interrupted:
        _check_same(run, settings_to_resume(run, kind), decided)
    return run


def _check_same(run: RunDirectory, theirs: RunConfig, ours: RunConfig) -> None:
    """Raises a UsageError if a run has other settings, so that it cannot be resumed.

    Data are compared by content, once they are opened.
    """
    ours = dataclasses.replace(ours, data=theirs.data, data_dir=theirs.data_dir)
    key = differing_setting(absolute(theirs), absolute(ours))
    if key is not None:
        was, now = theirs.get(key), ours.get(key)
        raise UsageError(
            f"Cannot resume '{run.path}': it was started with {key} {was!r}, now {now!r}. Give the "
            f"settings of '{run.config}' to resume it, or start another run with --run."
        )
