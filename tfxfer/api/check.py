"""`check`: finds problems in data before training."""

import pathlib
from typing import Any

from tfxfer.api.modality import by_data
from tfxfer.config.schema import READING_SETTINGS, BadImages, FitConfig
from tfxfer.curation.asking import asked_examination
from tfxfer.curation.examining import Examination, examine
from tfxfer.curation.page import render
from tfxfer.data.checks.examples import Examples
from tfxfer.data.checks.labels import findings_of_labels
from tfxfer.data.checks.numbers import findings_of_numbers
from tfxfer.data.checks.result import CheckResult
from tfxfer.data.checks.rules import findings_of
from tfxfer.data.contents import Integers
from tfxfer.data.labels.targets import images_of_each
from tfxfer.data.opening import open_undivided
from tfxfer.data.sources.manifests.writing import write_manifest as write_data
from tfxfer.planning.several_labels import refuse_several_labels
from tfxfer.reporting.writing import write
from tfxfer.system.devices import leave_gpu_to_jax
from tfxfer.system.isolation import isolated


@isolated
@by_data
def check(
    data: str,
    *,
    data_dir: str | None = None,
    bad_images: BadImages = "error",
    backbone: str | None = None,
    write_manifest: str | pathlib.Path | None = None,
    output: str | pathlib.Path | None = None,
    **settings: Any,
) -> CheckResult:
    """Checks data for problems: reads and decodes every image of every split.

    With a backbone it also examines their features, which are cached and shared with `rank` and
    `fit`: labels that look wrong, near copies, outliers, and splits that differ are listed. Nothing
    is changed.

    Args:
        data: The data, as for `fit`: a folder, a manifest, "digits", or a TFDS or Hugging Face
            dataset.
        data_dir: Directory of TFDS datasets.
        bad_images: What `fit` would do about unreadable images, "error" or "skip".
        backbone: Pretrained network that computes the features; None computes none.
        write_manifest: A .csv file that the data are written to as a manifest, with a column
            `suspect` that has the suggested class of each label that looks wrong. Edit it, and pass
            it to `fit` as its data.
        output: HTML page to write, with thumbnails of what the features tell; None writes none.
        **settings: Settings of `fit` by name: `channels`, `labels`, `label_separator`,
            `label_columns`, `tasks` and `target`; with a backbone also `weights`, `image_size`,
            `input_size`, `fit_images`, `batch_size`, `memory_gigabytes`, `cache_gigabytes`,
            `cache_dir`, `seed`.

    Returns:
        The number of images per class and split, and the findings, such as unreadable images,
        duplicates across splits and class imbalance.

    Raises:
        UsageError: The data do not exist, or do not have the layout of a classification dataset; or
            a setting is wrong.
        DataError: The dataset is known, but neither available locally nor downloadable.

    Examples:
        >>> import tfxfer
        >>> found = tfxfer.check("digits")
        >>> len(found.class_names)
        10
        >>> print(found.describe())  # doctest: +SKIP
        >>> found = tfxfer.check("photos", backbone="mobilenetv2")  # doctest: +SKIP
        >>> found.by_features.suspects[0].suggested  # doctest: +SKIP
        'tulips'
    """
    reading = {name: settings.pop(name) for name in READING_SETTINGS if name in settings}
    config = FitConfig(data=data, data_dir=data_dir, bad_images=bad_images, **reading)
    asked = asked_examination(config, backbone, settings, write_manifest, output)
    source = open_undivided(config)
    if asked is not None:
        refuse_several_labels(source, "An examination by features (--backbone)")
    examples = Examples.of(source)
    found: Examination | None = None
    if asked is not None and examples.readable.any():
        leave_gpu_to_jax()
        found = examine(examples, asked)
    if write_manifest is not None and found is not None:
        path = pathlib.Path(write_manifest)
        write_data(path, source, source.splits, found.suspect_column())
    result = CheckResult(
        source.name,
        source.class_names,
        _counts(examples),
        (
            *findings_of_numbers(examples),
            *findings_of(examples, bad_images),
            *findings_of_labels(examples),
        ),
        examples.num_readable,
        None if found is None else found.findings,
        bool(source.special),
    )
    if output is not None and found is not None:
        write(output, render(found, result))
    return result


def _counts(examples: Examples) -> dict[str, Integers]:
    """Returns the number of readable images of each class, by split."""
    return {
        name: images_of_each(
            examples.labels[examples.readable & (examples.splits == number)],
            len(examples.source.class_names),
        )
        for number, name in enumerate(examples.split_names)
    }
