"""`fit --group-near-copies`: what is to stay in one split."""

import pathlib

from tfxfer.config.schema import FitConfig
from tfxfer.curation.gallery import gallery_of
from tfxfer.curation.near_copies import NUM_NEIGHBORS, near_groups
from tfxfer.curation.neighbors import directions, nearest
from tfxfer.data.checks.examples import Examples
from tfxfer.data.contents import NearCopyGroups
from tfxfer.data.opening import open_undivided
from tfxfer.data.seen import read_seen
from tfxfer.errors import UsageError
from tfxfer.planning.preflight import check_settings
from tfxfer.planning.several_labels import refuse_several_labels
from tfxfer.ranking.ranking import saying_how_to_resume
from tfxfer.system.run_layout import RunDirectory


def near_copies_to_group(asked: FitConfig) -> NearCopyGroups | None:
    """Returns the near copies in the data of a fit; None if they are not to be grouped.

    Those of a run that is resumed by its name are the recorded ones. Features are cached, and the
    head phase uses them again.

    Args:
        asked: The settings that the user gave, with the name of a backbone.

    Raises:
        UsageError: A setting is impossible, or names something that does not exist.
        DataError: The data cannot be used.
    """
    if not asked.group_near_copies:
        return None
    check_settings(asked)
    if asked.weights == "none":
        raise UsageError(
            "Setting 'group_near_copies' finds near copies by pretrained features, but "
            "'weights' is 'none', random weights. Leave one of them out."
        )
    recorded = _recorded(asked)
    if recorded is not None:
        return recorded
    source = open_undivided(asked)
    refuse_several_labels(source, "Setting 'group_near_copies' (--group-near-copies)")
    examples = Examples.of(source)
    with saying_how_to_resume():
        gallery = gallery_of(examples, asked)
    neighbors = nearest(directions(gallery.features), gallery.units, NUM_NEIGHBORS)
    alike = examples.alike[gallery.numbers]
    groups = near_groups(neighbors, gallery.units, gallery.labels, alike)
    return NearCopyGroups.of(gallery.digests[group.members] for group in groups)


def _recorded(asked: FitConfig) -> NearCopyGroups | None:
    """Returns the near copies that an interrupted run of this name has recorded."""
    if asked.run is None:
        return None
    run = RunDirectory(pathlib.Path(asked.runs_dir, asked.run))
    seen = read_seen(run.seen) if run.is_interrupted else None
    return None if seen is None else seen.near_copies
