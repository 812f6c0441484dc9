"""What the features say about the data of a run, as variables of a template."""

import json
import os
from collections.abc import Mapping
from typing import Any

from tfxfer.data.checks.by_features import SplitShift
from tfxfer.errors import UsageError
from tfxfer.system.run_layout import RunDirectory

# How much of it a report shows: about 100 kB.
SHOWN_SUSPECTS = 8

SHOWN_GROUPS, SHOWN_OF_GROUP = 4, 4

SHOWN_OUTLIERS = 6


def section_of_data(run: RunDirectory) -> dict[str, Any] | None:
    """Returns the variables of `data_section.html`; None if the data were not examined."""
    if not run.data_findings.is_file():
        return None
    try:
        return _section(json.loads(run.data_findings.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"Cannot read '{run.data_findings}': {error}. Delete it.") from None


def _section(found: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the variables of the template.

    Args:
        found: Content of `data_findings.json`.
    """
    urls = found["thumbnails"]
    suspects, groups = found["suspect_labels"], found["near_copies"]
    return {
        "backbone": found["backbone"],
        "num_images": found["num_images"],
        "num_known": found["num_known"],
        "splits": found["splits"],
        "command": found["command"],
        "num_suspects": len(suspects),
        "suspects": [{**one, **_tile(one["path"], urls)} for one in suspects[:SHOWN_SUSPECTS]],
        "num_groups": len(groups),
        "groups": [_group(one, urls) for one in groups[:SHOWN_GROUPS]],
        "num_outliers": len(found["outliers"]),
        "outliers": [
            {"name": one["class"], "score": one["score"], **_tile(one["path"], urls)}
            for one in found["outliers"][:SHOWN_OUTLIERS]
        ],
        "shifts": [line for one in found["shift"] for line in _shift(one).describe()],
    }


def _group(group: Mapping[str, Any], urls: Mapping[str, str]) -> dict[str, Any]:
    members = zip(group["paths"], group["classes"], group["splits"], strict=True)
    tiles = [
        {"name": name, "split": split, **_tile(path, urls)}
        for path, name, split in list(members)[:SHOWN_OF_GROUP]
    ]
    return {"tiles": tiles, "more": len(group["paths"]) - len(tiles)}


def _tile(path: str, urls: Mapping[str, str]) -> dict[str, str]:
    """Returns the thumbnail of an image, and the last three parts of its path."""
    return {"url": urls[path], "id": os.sep.join(path.split(os.sep)[-3:])}


def _shift(one: Mapping[str, Any]) -> SplitShift:
    first, other = one["splits"]
    return SplitShift(
        splits=(first, other),
        auroc=one["auroc"],
        interval=None if one["interval"] is None else tuple(one["interval"]),
        only_in=(tuple(one["only_in"][first]), tuple(one["only_in"][other])),
    )
