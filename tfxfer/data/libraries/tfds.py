"""From a name or a directory to a TFDS dataset that is ready to be read."""

import pathlib
import re
import socket
import urllib.parse
import urllib.request
from typing import Any

import tensorflow as tf

from tfxfer.config.paths import expand_user
from tfxfer.config.schema import BUNDLED_DATA
from tfxfer.errors import DataError, UsageError, did_you_mean

# tensorflow_datasets is imported inside the functions: it takes a second, and no other source needs
# it.


def is_prepared_directory(path: pathlib.Path) -> bool:
    """Tells whether a directory holds one version of a prepared dataset."""
    return (path / "dataset_info.json").is_file() and (path / "features.json").is_file()


def builder_of_directory(path: pathlib.Path) -> Any:
    """Returns the TFDS builder of a prepared version in a directory.

    Raises:
        DataError: It cannot be opened.
    """
    import tensorflow_datasets as tfds

    try:
        return tfds.builder_from_directory(path)
    except (ValueError, KeyError, OSError, TypeError) as error:  # files of other content
        raise DataError(f"Cannot open the prepared data in '{path}': {error}") from error


def prepared_builder(name: str, data_dir: str | None) -> Any:
    """Returns the TFDS builder of data that are ready to be read.

    Raises:
        UsageError: There are no such data.
        DataError: They are not prepared and cannot be downloaded.
    """
    import tensorflow_datasets as tfds

    data_dir = expand_user(data_dir, "Setting 'data_dir'") if data_dir else None
    try:
        # Files come before code: this reaches versions the installed TFDS no longer makes, and
        # names it never knew.
        return tfds.core.read_only_builder.builder_from_files(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        pass
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        raise UsageError(_unknown(name, data_dir)) from None
    except (ValueError, AssertionError) as error:  # an unknown configuration; an unknown version
        raise UsageError(_unknown_variant(name)) from error
    if not builder.is_prepared():
        _download(builder, name)
    return builder


def in_order() -> Any:
    """Returns how TFDS reads the examples of a split in the order of its slices."""
    import tensorflow_datasets as tfds

    # One file after the other.
    return tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)


def no_such_slice(builder: Any, name: str, split: str, error: Exception) -> UsageError:
    """Returns the error for a split or slice that a dataset does not have.

    Args:
        builder: Of TFDS.
        name: Of the dataset.
        split: The split or slice, as the user wrote it.
        error: What TFDS says is wrong with it.
    """
    reason = str(error).strip().splitlines()[0].rstrip(".")
    return UsageError(
        f"The dataset '{name}' has no '{split}': {reason}. Its splits are "
        f"{', '.join(builder.info.splits)}; a part of one is written 'train[:80%]'."
    )


def _download(builder: Any, name: str) -> None:
    """Downloads and prepares the data."""
    import tensorflow_datasets as tfds

    def failure(reason: str) -> DataError:
        return DataError(
            f"The dataset '{name}' is not prepared in '{builder.data_path}' and cannot be "
            f"downloaded: {reason}. On a connected machine, run "
            f"`python -c \"import tensorflow_datasets as tfds; tfds.builder('{name}')"
            '.download_and_prepare()"`, copy the resulting folder of ~/tensorflow_datasets here, '
            "and name its parent with --data-dir or TFDS_DATA_DIR."
        )

    if str(builder.data_path).startswith("~"):
        raise UsageError(
            f"Cannot download the dataset '{name}': the user has no home directory. Choose a "
            "download directory with --data-dir or TFDS_DATA_DIR."
        )
    unreachable = unreachable_host(list(builder.url_infos or ()))
    if unreachable:
        raise failure(f"there is no connection to {unreachable}")
    try:
        builder.download_and_prepare()
    except (
        OSError,  # no connection, no space, no permission
        AssertionError,  # the data must be fetched by hand; the message says from where
        ImportError,  # a package that only the preparation needs
        tf.errors.OpError,
        tfds.download.DownloadError,
        tfds.download.download_manager.NonMatchingChecksumError,
        tfds.download.extractor.ExtractError,
    ) as error:
        raise failure(str(error).strip().rstrip(".")) from error


def unreachable_host(urls: list[str]) -> str | None:
    """Returns a host of the URLs if no name of theirs can be resolved, else None.

    TFDS itself repeats each request for more than three minutes before it gives up.
    """
    hosts = sorted({urllib.parse.urlsplit(url).hostname or "" for url in urls} - {""})
    if urllib.request.getproxies():  # then it is the proxy that resolves names
        return None
    for host in hosts:
        try:
            socket.getaddrinfo(host, 443)
        except OSError:
            continue
        return None
    return hosts[0] if hosts else None


def _unknown(name: str, data_dir: str | None) -> str:
    """Returns the message for a name that is neither a directory nor a dataset."""
    import tensorflow_datasets as tfds

    place = pathlib.Path(data_dir or tfds.core.constants.DATA_DIR)
    # With a configuration or without; no deeper, for downloads are there, too.
    prepared = {
        info.relative_to(place).parts[0]
        for pattern in ("*/*/dataset_info.json", "*/*/*/dataset_info.json")
        for info in place.glob(pattern)
    }
    # The community's datasets are left out: listing them needs the network.
    known = {BUNDLED_DATA, *prepared, *tfds.list_builders(with_community_datasets=False)}
    hint = did_you_mean(name, known)
    if "/" in name:
        return f"There is no directory '{name}'.{hint}"
    hint = hint or f" Check the path. For a Hugging Face dataset write 'hf:{name}'."
    return (
        f"There is no directory and no TFDS dataset, built in or prepared in '{place}', called "
        f"'{name}'.{hint}"
    )


def _unknown_variant(name: str) -> str:
    """Returns the message for a configuration or version that a dataset does not have."""
    import tensorflow_datasets as tfds

    base, _, variant = re.split("([/:])", name, maxsplit=1)
    builder_class = tfds.builder_cls(base)
    known = list(builder_class.builder_configs)
    message = f"The dataset '{base}' has no '{variant}'.{did_you_mean(variant, known)}"
    if known:
        message += f" Its configurations are {', '.join(known)}."
    return f"{message} The newest version is {builder_class.VERSION}."
