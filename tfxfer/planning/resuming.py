"""Which run to resume, and whether it may be."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from tfxfer.config.recipes import differing_setting
from tfxfer.config.schema import AnyConfig, RunConfig
from tfxfer.errors import UsageError
from tfxfer.runs.naming import named_run, numbered_run, run_to_resume
from tfxfer.runs.places import absolute, missing_data, run_settings, with_unchanged_places
from tfxfer.system.run_layout import RunDirectory


def asked_settings(
    kind: type[AnyConfig],
    config: AnyConfig | None,
    settings: Mapping[str, Any],
    resume: str | pathlib.Path | RunDirectory | None = None,
) -> AnyConfig:
    """Returns what the user asked for: settings by name over a record over the defaults.

    Args:
        kind: Of the record.
        config: A record, or None.
        settings: By name; see `RunConfig.with_settings`.
        resume: A run that is gone on with: its settings take the place of the defaults.

    Raises:
        UsageError: A setting is wrong, or is not that of the run to go on with.
    """
    if resume is None:
        return (config or kind()).with_settings(settings)
    run = run_to_resume(resume)
    theirs = run_settings(run, kind)
    ours = with_unchanged_places((config or theirs).with_settings(settings), run, theirs)
    for name in ("precision", "xla"):  # a decision stands, on whatever machine the run goes on
        if ours.get(name) == "auto":
            ours = dataclasses.replace(ours, **{name: theirs.get(name)})
    _check_same(run, theirs, ours)
    missing = missing_data(run, theirs) if ours.data == theirs.data else []
    if missing and not run.is_finished:
        places = " or ".join(f"'{place}'" for place in missing)
        raise UsageError(
            f"Cannot resume '{run.path}': its data are not where they were, {places}. Say where "
            "they are now with --data."
        )
    return dataclasses.replace(ours, run=run.path.name, runs_dir=str(run.path.parent))


def choose_run(kind: type[RunConfig], decided: RunConfig, default_name: str) -> RunDirectory:
    """Returns the run that the user named, or the first that is new or of these settings.

    Args:
        kind: Of the record that the command is asked by.
        decided: Its settings.
        default_name: Of the run, where the user named none.

    Raises:
        UsageError: The run that the user named is there, and of other settings.
    """

    def same(run: RunDirectory) -> bool:
        try:
            theirs = absolute(run_settings(run, kind))
            return differing_setting(theirs, absolute(decided)) is None
        except UsageError:  # of another version, or of another command
            return False

    if decided.run is None:
        return numbered_run(decided.runs_dir, default_name, same)
    run = named_run(decided.runs_dir, decided.run)
    if run.is_interrupted:
        _check_same(run, run_settings(run, kind), decided)
    return run


def _check_same(run: RunDirectory, theirs: RunConfig, ours: RunConfig) -> None:
    """Raises a UsageError unless a run may be gone on with under these settings.

    Of the data the content counts, which is looked at once they are open.
    """
    ours = dataclasses.replace(ours, data=theirs.data, data_dir=theirs.data_dir)
    key = differing_setting(absolute(theirs), absolute(ours))
    if key is not None:
        was, now = theirs.get(key), ours.get(key)
        raise UsageError(
            f"Cannot resume '{run.path}': it was started with {key} {was!r}, now {now!r}. Give the "
            f"settings of '{run.config}' to go on with it, or choose another --run."
        )
