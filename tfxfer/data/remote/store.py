"""What a URL leads to: a file system of fsspec, and a path in it."""

import contextlib
import errno
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from tfxfer.errors import DataError, RunError, TfxferError, UsageError

# The packages that fsspec needs for a protocol.
_PACKAGES = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), "adlfs"),
    **dict.fromkeys(("http", "https"), "aiohttp"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
    "hf": "huggingface_hub",
}

_CREDENTIALS = (
    "Give credentials as the tools of the store take them (for S3 AWS_PROFILE, or "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; for Google `gcloud auth application-default "
    "login`), or set FSSPEC_S3_ANON=true for public data on S3."
)


@dataclass(frozen=True)
class Store:
    """The file system of a URL.

    Attributes:
        url: As the user wrote it, without a slash at the end.
        files: The file system, of fsspec.
        root: The path in it, as the file system writes paths.
    """

    url: str
    files: Any
    root: str

    @classmethod
    def of(cls, url: str) -> Self:
        """Returns the file system of a URL; what it knew of its files before is forgotten.

        Raises:
            UsageError: There is no such protocol, its package is missing, or the URL has a password
                or names several protocols.
            DataError: The store cannot be reached.
        """
        import fsspec  # comes with tensorflow-datasets

        _check(url)
        protocol = url.partition("://")[0]
        try:
            with reading(url):
                files, root = fsspec.core.url_to_fs(url)
                files.invalidate_cache()
        except ImportError as error:
            package = _PACKAGES.get(protocol, "")
            needs = f"the package '{package}': pip install {package}" if package else str(error)
            raise UsageError(f"To read '{url}' tfxfer needs {needs.rstrip('.')}.") from None
        except ValueError as error:
            raise UsageError(
                f"Cannot read '{url}': {_reason(error)}. Known are s3://, gs:// and what else "
                "fsspec reads."
            ) from None
        return cls(url if url.endswith("://") else url.rstrip("/"), files, str(root).rstrip("/"))

    def url_of(self, path: str) -> str:
        """Returns the URL of a file at or below the root."""
        return self.url + path[len(self.root) :]


def _check(url: str) -> None:
    """Raises a UsageError for a URL that cannot be written down, or that is several."""
    rest = url.partition("://")[2]
    user, at, _ = rest.partition("/")[0].rpartition("@")
    if at and ":" in user:
        scheme = url.partition("://")[0]
        raise UsageError(
            f"A URL of {scheme}:// names a password, which the files of a run would hold. Put it "
            "where the tools of the store look for it, and leave it out of the URL."
        )
    if "::" in url:
        raise UsageError(f"'{url}' chains protocols; give a URL of one, such as s3://bucket/path.")


@contextlib.contextmanager
def reading(url: str) -> Iterator[None]:
    """Turns whatever a store raises into an error that names the URL.

    Raises:
        UsageError: There is nothing at the URL.
        RunError: The disk that a file is copied to is full.
        DataError: It cannot be read.
    """
    try:
        yield
    except (TfxferError, ImportError, ValueError):
        raise
    except FileNotFoundError as error:
        raise UsageError(f"There is nothing at '{url}' ({_reason(error)}).") from error
    except PermissionError as error:
        raise DataError(
            f"No permission to read '{url}' ({_reason(error)}). {_CREDENTIALS}"
        ) from error
    except Exception as error:  # each store has its own
        reason = _reason(error)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RunError(f"Cannot copy '{url}': {reason}. Free space.") from error
        is_refused = "credential" in f"{type(error).__name__} {reason}".lower()
        what_next = "Check the network, and run it again: files that were copied are kept."
        raise DataError(
            f"Cannot read '{url}': {reason}. {_CREDENTIALS if is_refused else what_next}"
        ) from error


def _reason(error: BaseException) -> str:
    """Returns the first line of what an error says."""
    said = str(getattr(error, "strerror", None) or error).strip()
    return (said.splitlines() or [type(error).__name__])[0].rstrip(".")
