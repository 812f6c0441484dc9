"""Splits of a source, written as a manifest."""

import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfxfer.config.schema import LABEL_SEPARATOR
from tfxfer.data.labels.targets import names_of, unknown_names_of
from tfxfer.data.source import Source, Split
from tfxfer.system.files import replacing
from tfxfer.system.tables import TableWriter, needs_quotes


def write_manifest(
    path: pathlib.Path,
    source: Source,
    splits: Mapping[str, Split],
    suspects: Mapping[str, Sequence[str]] | None = None,
    unlabeled: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Writes splits of a source as a manifest that `open_manifest` opens again.

    Args:
        path: The file, .csv.
        source: Its class names and origin are written.
        splits: Some or all of its examples.
        suspects: What the column `suspect` has for each example, by split; None writes no such
            column. It is for people: `open_manifest` does not use it.
        unlabeled: Rows of images without a label, by column, written first: `path`, `split`, and
            for people `predicted` and `probability`. `open_manifest` wants their labels filled in.
    """
    labels = _label_columns(source)
    columns = ["path", *labels, "split"]
    has_missing = any(_has_missing(split) for split in splits.values())
    columns += ["missing"] if has_missing and source.tasks is None else []
    columns += ["weight"] if any(split.weights is not None for split in splits.values()) else []
    columns += ["group"] if any(split.groups is not None for split in splits.values()) else []
    columns += ["source"] if source.origin is not None and splits else []
    columns += ["suspect"] if suspects is not None else []
    columns += ["predicted", "probability"] if unlabeled else []
    texts = {*source.class_names, source.origin or ""}
    for split in splits.values():
        texts.update(split.groups or ())
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        table = TableWriter(file, quote_all=needs_quotes(texts))
        table.writerow(columns)
        for row in unlabeled:
            table.writerow([row.get(column, "") for column in columns])
        for name, split in splits.items():
            for index, label in enumerate(split.labels):
                example = split.describe(index)
                record = {
                    "path": example if source.origin else os.path.abspath(example),
                    **_cells(source, labels, label),
                    "split": name,
                    "weight": 1 if split.weights is None else f"{split.weights[index]:.9g}",
                    "group": "" if split.groups is None else split.groups[index],
                    "source": source.origin,
                    "suspect": "" if suspects is None else suspects[name][index],
                }
                table.writerow([record.get(column, "") for column in columns])


def _label_columns(source: Source) -> tuple[str, ...]:
    """Returns the columns of the labels; see `manifest`."""
    if source.tasks is not None:
        return source.tasks.names
    if source.has_numbers:
        return source.class_names
    if source.has_several_labels:
        return ("labels",)
    # What separates labels may be part of the name of a class.
    could_be_several = any(LABEL_SEPARATOR in name or name[0] == "[" for name in source.class_names)
    return ("class" if could_be_several else "label",)


def _cells(source: Source, columns: tuple[str, ...], label: Any) -> dict[str, str]:
    """Returns the fields of the labels of an example, by column."""
    if source.tasks is not None:
        return source.tasks.names_of(label)
    (column,) = columns
    return {
        column: _cell(source, names_of(label, source.class_names)),
        "missing": _cell(source, unknown_names_of(label, source.class_names)),
    }


def _cell(source: Source, names: list[str]) -> str:
    """Returns the labels of an example as a field: a JSON list where it may have several."""
    if source.has_several_labels:
        return json.dumps(names, ensure_ascii=False) if names else ""
    return names[0] if names else ""


def _has_missing(split: Split) -> bool:
    """Tells whether it is unknown of an example whether it has a label."""
    return bool(np.isnan(split.labels).any())
