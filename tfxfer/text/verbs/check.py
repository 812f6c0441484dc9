"""`check` of texts: not there yet."""

from typing import Any, NoReturn

from tfxfer.errors import UsageError


def check(data: str, **_: Any) -> NoReturn:
    """Raises a UsageError that says what checks texts.

    Args:
        data: The data.
    """
    raise UsageError(
        f"'{data}' holds texts, which `tfxfer check` does not check yet. The plan of `tfxfer fit "
        "--backbone average --dry-run` reads all of them, and names empty texts, duplicates "
        "across splits and files of another encoding."
    )
