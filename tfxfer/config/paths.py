"""Paths as people write them: `~` and `~user`, in every option, setting, list and variable."""

import os
import pathlib
import re

from tfxfer.errors import UsageError


def home() -> pathlib.Path | None:
    """Returns the user's home directory, None where there is none.

    In containers the user often has none: HOME is not set, and the user id is not in /etc/passwd.

    Examples:
        >>> home()  # where HOME is /home/ann
        PosixPath('/home/ann')
    """
    path = pathlib.Path(os.path.expanduser("~")) if os.environ.get("HOME", "~") else None
    return path if path is not None and path.is_absolute() else None


def expand_user(path: str, where: str = "") -> str:
    """Returns a path with the home directory in place of a leading `~` or `~user`.

    A file that has such a name literally comes first.

    Args:
        path: As the user wrote it.
        where: The setting or variable that it comes from, for messages.

    Raises:
        UsageError: There is no such home directory.

    Examples:
        >>> expand_user("~/photos")  # where HOME is /home/ann
        '/home/ann/photos'
        >>> expand_user("data/photos")
        'data/photos'
    """
    if not path.startswith("~") or os.path.lexists(path):
        return path
    user, rest = re.match(r"~([^/\\?]*)(.*)", path, re.DOTALL).groups()  # type: ignore[union-attr]
    subject = f"{where} is '{path}'" if where else f"The path is '{path}'"
    instead = f"Give the path in full, or './{path}' for something that is called so."
    if not user:
        directory = home()
        if directory is None:
            raise UsageError(
                f"{subject}, but no home directory is known: HOME is not set, and the user id "
                f"{_user_id()} has no entry in /etc/passwd. {instead}"
            )
        return f"{'' if directory == pathlib.Path('/') else directory}{rest}" or "/"
    expanded = os.path.expanduser(f"~{user}")
    if expanded.startswith("~"):
        raise UsageError(f"{subject}, but there is no user '{user}'. {instead}")
    return expanded + rest


def user_path(path: str | os.PathLike[str], where: str = "") -> pathlib.Path:
    """Returns what `expand_user` returns as a path.

    Examples:
        >>> user_path("~/photos")  # where HOME is /home/ann
        PosixPath('/home/ann/photos')
    """
    return pathlib.Path(expand_user(os.fspath(path), where))


def listed_path(path: str, folder: str = "") -> str:
    """Returns a path of a list or a table, relative to a folder, with `~` expanded.

    Where there is no such home directory it stays as it is: it is then one that is not there.

    Examples:
        >>> listed_path("bee.jpg", "photos")
        'photos/bee.jpg'
        >>> listed_path("~/bee.jpg", "photos")  # where HOME is /home/ann
        '/home/ann/bee.jpg'
    """
    inside = os.path.join(folder, path)
    if not path.startswith("~") or os.path.lexists(inside):
        return inside
    try:
        return os.path.join(folder, expand_user(path))
    except UsageError:
        return inside


def _user_id() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else "of this process"
