"""`check` of texts."""

from typing import Any

from tfxfer.data.checks.result import CheckResult
from tfxfer.errors import UsageError
from tfxfer.text.data.checks import check_texts
from tfxfer.text.data.encoding import UTF_8
from tfxfer.text.data.opening import open_as_they_are

# What these options of `check` are for, by their names in Python.
_OF_IMAGES = {
    "backbone": "--backbone examines the features of images",
    "write_manifest": "--write-manifest writes what --backbone finds",
    "output": "--output is a page of images",
}


def check(
    data: str, *, data_dir: str | None = None, bad_images: str = "error", **settings: Any
) -> CheckResult:
    """Checks texts for problems: reads every text of every split; see `tfxfer.check`.

    Args:
        data: The data, as for `fit`.
        data_dir: Directory of TFDS datasets.
        bad_images: Does not apply; only the default is accepted.
        **settings: Settings for images, none of which is accepted.

    Returns:
        The number of texts per class and split, and the findings, such as duplicates across
        splits, near copies and contradictory labels.

    Raises:
        UsageError: There are no such data, or an option is for images.
        DataError: A file cannot be read, or has another encoding.
    """
    for name, value in settings.items():
        if value is not None:
            why = _OF_IMAGES.get(name, f"'{name}' is a setting for images")
            raise UsageError(f"'{data}' holds texts, but {why}. Leave it out.")
    if bad_images != "error":
        raise UsageError(f"'{data}' holds texts, but --bad-images is for images. Leave it out.")
    return check_texts(open_as_they_are(data, UTF_8, data_dir))
