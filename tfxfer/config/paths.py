"""Paths as users write them: expansion of `~` and `~user`, and URLs."""

import os
import pathlib
import re

from tfxfer.errors import UsageError


def home() -> pathlib.Path | None:
    """Returns the user's home directory, or None if there is none.

    Users in containers often have none: HOME is not set, and the user id is not in /etc/passwd.

    Examples:
        >>> home()  # where HOME is /home/ann
        PosixPath('/home/ann')
    """
    path = pathlib.Path(os.path.expanduser("~")) if os.environ.get("HOME", "~") else None
    return path if path is not None and path.is_absolute() else None


def expand_user(path: str, where: str = "") -> str:
    """Returns a path with a leading `~` or `~user` expanded, unless a file has that literal name.

    Args:
        path: The path as the user wrote it.
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
    instead = f"Give the full path, or './{path}' for a file of that literal name."
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
    """Returns the result of `expand_user` as a `Path`.

    Examples:
        >>> user_path("~/photos")  # where HOME is /home/ann
        PosixPath('/home/ann/photos')
    """
    return pathlib.Path(expand_user(os.fspath(path), where))


def is_url(path: str) -> bool:
    """Tells whether a path is a URL, such as s3://bucket/photos.

    Examples:
        >>> is_url("gs://bucket/photos.csv"), is_url("photos"), is_url("C:/photos")
        (True, False, False)
    """
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", path))


def listed_path(path: str, folder: str = "") -> str:
    """Returns a path from a list or table, relative to a folder, with `~` expanded.

    If there is no such home directory, the path is unchanged, and reported as missing later.

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
