"""Checks of settings, whatever is trained on, before TensorFlow is imported and data are opened."""

from tfxfer.config.schema import BUNDLED_DATA, RunConfig
from tfxfer.config.settings import option_of, setting_keys
from tfxfer.errors import UsageError
from tfxfer.system.files import check_writable


def check_inputs(config: RunConfig) -> None:
    """Checks that text is UTF-8, that there is a value for `data`, and that the cache can be used.

    Args:
        config: The settings that the user gave.

    Raises:
        UsageError: A setting is missing or impossible.
    """
    _check_text(config)
    if not config.data:
        raise UsageError(
            "Missing setting 'data' (--data): a folder, a manifest, the name of a dataset, or "
            f"'{BUNDLED_DATA}'."
        )
    if config.cache_dir is not None:
        check_writable(config.cache_dir, "cache_dir")


def _check_text(config: RunConfig) -> None:
    """Raises a UsageError for text that is not UTF-8, which the files of a run cannot hold."""
    for key in setting_keys(type(config)):
        value = config.get(key)
        if isinstance(value, str) and not _is_utf_8(value):
            shown = value.encode("utf-8", "backslashreplace").decode()
            raise UsageError(
                f"Setting '{key}' is '{shown}', which is not UTF-8, so it cannot be saved with "
                f"the run. Rename it, or give another {option_of(key)}."
            )


def _is_utf_8(text: str) -> bool:
    """Returns whether a text can be encoded as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
