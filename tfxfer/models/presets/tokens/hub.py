"""Models at the Hugging Face hub by address: `hf://OWNER/NAME`, and their files in its cache.

Nothing here is imported that is not needed: files in the cache are found without huggingface_hub,
as its documentation describes them (huggingface.co/docs/huggingface_hub/guides/manage-cache).
"""

import os
import pathlib
import re
import socket
import urllib.request

from tfxfer.config.paths import user_path
from tfxfer.errors import UsageError, WeightsError

SCHEME = "hf://"

_HOST = "huggingface.co"

_TIMEOUT_SECONDS = 5.0

# All that is read; weights of PyTorch, TensorFlow and others are not.
_FILES = (
    *("*.json", "README.md", "model.safetensors", "*.weights.h5"),
    *("vocab.txt", "*/vocabulary.txt"),
)

_ADDRESS = re.compile(r"hf://([\w-][\w.-]*/[\w-][\w.-]*)(?:@([\w-][\w.-]*))?")


def folder_of(address: str) -> pathlib.Path:
    """Returns the folder that has the files of a model, after downloading them if need be.

    Args:
        address: `hf://OWNER/NAME`, or with a revision: `hf://OWNER/NAME@REVISION`.

    Raises:
        UsageError: It is no such address.
        WeightsError: The files are not there and cannot be downloaded.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise UsageError(
            f"Cannot use '{address}': an address at Hugging Face is {SCHEME}OWNER/NAME, or "
            f"{SCHEME}OWNER/NAME@REVISION."
        )
    repository, revision = match[1], match[2] or "main"
    found = _cached(repository, revision)
    return found if found is not None else _downloaded(repository, revision)


def _cached(repository: str, revision: str) -> pathlib.Path | None:
    """Returns the folder of a model in the cache; None without `config.json` in it."""
    home = os.environ.get("HF_HOME") or "~/.cache/huggingface"
    cache = user_path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub")
    folder = cache / f"models--{repository.replace('/', '--')}"
    try:
        commit = (folder / "refs" / revision).read_text("ascii").strip()
    except (OSError, ValueError):
        commit = revision
    found = folder / "snapshots" / commit
    is_name = re.fullmatch(r"[\w-][\w.-]*", commit) is not None
    return found if is_name and (found / "config.json").is_file() else None


def _downloaded(repository: str, revision: str) -> pathlib.Path:
    try:
        if not urllib.request.getproxies():
            # Otherwise Hugging Face's package tries again and again.
            socket.create_connection((_HOST, 443), timeout=_TIMEOUT_SECONDS).close()
        import huggingface_hub

        return pathlib.Path(
            huggingface_hub.snapshot_download(
                repository, revision=revision, allow_patterns=list(_FILES)
            )
        )
    except Exception as error:  # of the network, of the hub, of the disk; or it is not installed
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WeightsError(
            f"'{SCHEME}{repository}' is not in the cache of Hugging Face (HF_HOME) and cannot be "
            f"downloaded from {_HOST} ({reason}). On a connected machine run `pip install "
            f"huggingface_hub`, then `hf download {repository}`, copy the folder that it prints "
            "to this one, and give --backbone kerashub:FOLDER."
        ) from None
