"""`label_next`: which unlabeled images to label next."""

import pathlib
from collections.abc import Callable, Iterable
from typing import Any

from tfxfer.api.modality import by_model
from tfxfer.config.paths import user_path
from tfxfer.curation.labeling.asking import Choice, check_files, is_no_run
from tfxfer.curation.labeling.choosing import choose_next
from tfxfer.curation.labeling.page import render
from tfxfer.curation.labeling.result import NextImages
from tfxfer.data.seen import BoundSource
from tfxfer.data.sources.folders.expanding import expand
from tfxfer.data.sources.manifests.writing import write_manifest
from tfxfer.errors import UsageError
from tfxfer.inference.loading import load
from tfxfer.reporting.writing import write
from tfxfer.system.isolation import isolated


@isolated
@by_model
def label_next(
    run: str | pathlib.Path,
    paths: str | pathlib.Path | Iterable[str | pathlib.Path],
    *,
    manifest: str | pathlib.Path | None = None,
    with_labeled: bool = False,
    output: str | pathlib.Path | None = None,
    data: str | None = None,
    say: Callable[[str], None] = lambda _: None,
    **settings: Any,
) -> NextImages:
    """Chooses which unlabeled images to label next, by the features of a run's model.

    While labels are few, the most typical images of regions without a label (TypiClust, Hacohen et
    al. 2022, arXiv:2202.02794); after that, images that the model is uncertain of and that are
    unlike each other. Images in the data of the run, and exact duplicates, are left out.

    Args:
        run: A run's directory.
        paths: Image files, folders and patterns, as for `predict`.
        manifest: A .csv file to write them to, with an empty column of labels. Fill it in, and pass
            it to `fit` as its data.
        with_labeled: The manifest also has the images of the run, with their labels and splits.
        output: HTML page to write, with thumbnails.
        data: Where the data of the run are, if they have moved.
        say: Called with each note on files that folders and patterns leave out.
        **settings: `count`, how many images to choose, 50; `strategy`, "typical" or "uncertain", by
            default by the number of labeled images per class; `batch_size`, 64; `seed`, 0.

    Returns:
        The images, the most useful first.

    Raises:
        UsageError: A path or a setting is wrong, there is no image without a label, or the run is
            multi-label.
        DataError: The data of the run have moved, or cannot be read.

    Examples:
        >>> import tfxfer
        >>> found = tfxfer.label_next("runs/photos", "inbox", count=20)  # doctest: +SKIP
        >>> found.images[0].path  # doctest: +SKIP
        '/home/me/inbox/IMG_0042.jpg'
    """
    named = [paths] if isinstance(paths, str | pathlib.Path) else list(paths)
    choice = Choice.of(**settings)
    check_files(run, named, manifest, output, with_labeled=with_labeled)
    files = [file for path in named for file in expand(user_path(path), say)]
    trained = load(run)
    if trained.config is None:
        raise is_no_run(run)
    if trained.outputs.special:
        raise UsageError(
            f"'{run}' is {trained.outputs.special}, but images to label next are chosen for models "
            "of one class per image only. Give a run of such data."
        )
    source = trained.open_source(data)
    if with_labeled:
        _check_files(source)
    result, found = choose_next(trained, source, files, choice)
    if manifest is not None:
        splits = source.everything if with_labeled else {}
        write_manifest(user_path(manifest), source, splits, unlabeled=result.rows())
    if output is not None:
        write(output, render(result, found, trained.frame))
    return result


def _check_files(source: BoundSource) -> None:
    """Raises a UsageError if the images of a source are not files."""
    if source.origin is not None:
        raise UsageError(
            f"The images of '{source.name}' are not files, so that a manifest cannot hold them "
            "beside others. Leave out with_labeled (--with-labeled)."
        )
