"""Predictions for many files, written as shards: Parquet files, of which a finished one stays.

A shard appears when it is complete, so a job that was killed is resumed by running it again: only
the shards that are missing are computed. What the job is about is in `job.json`.
"""

import hashlib
import json
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from tfxfer.errors import UsageError
from tfxfer.system.files import write_json
from tfxfer.system.run_layout import files_of_model

# Files of a shard: a minute or two of MobileNetV2 on two cores, and what is lost if it is killed.
SHARD_SIZE = 5_000

_JOB = "job.json"

# What differs where a directory has another job, in words.
_TOLD = {"model": "another model", "files": "other files", "top": "another --top"}

_FORM = 1


@dataclass(frozen=True)
class Shards:
    """The shards of a job.

    Attributes:
        directory: Where they are written.
        files: The files to classify, in their order.
        size: Number of files of each shard but the last.
    """

    directory: pathlib.Path
    files: Sequence[str]
    size: int = SHARD_SIZE

    @classmethod
    def begun(
        cls,
        directory: pathlib.Path,
        model: str | pathlib.Path,
        files: Sequence[str],
        **settings: int,
    ) -> Self:
        """Returns the shards of a job that is begun, or was begun before by the same call.

        Args:
            directory: A new or empty directory, or that of the same job.
            model: The model.
            files: The files to classify.
            **settings: `size` of a shard, and `top`, the number of classes of an answer.

        Raises:
            UsageError: The directory has something else, or another job.
        """
        job = {
            "form": _FORM,
            "model": _digest_of_model(model),
            "files": hashlib.sha256(
                "\n".join(files).encode("utf-8", "surrogateescape")
            ).hexdigest(),
            "num_files": len(files),
            **settings,
        }
        shards = cls(directory, files, settings["size"])
        known = _read_job(directory)
        if known is None:
            directory.mkdir(parents=True, exist_ok=True)
            write_json(directory / _JOB, job)
        elif known != job:
            differ = [name for key, name in _TOLD.items() if known.get(key) != job[key]]
            other = differ[0] if differ else "shards of another size"
            raise UsageError(
                f"The directory '{directory}' has predictions of {other}. Name another one, or "
                "delete it."
            )
        return shards

    @property
    def count(self) -> int:
        """Number of shards."""
        return -(-len(self.files) // self.size)

    def path(self, number: int) -> pathlib.Path:
        """Returns the file of a shard."""
        return self.directory / f"part-{number:05}-of-{self.count:05}.parquet"

    def files_of(self, number: int) -> Sequence[str]:
        """Returns the files to classify of a shard."""
        return self.files[number * self.size : (number + 1) * self.size]

    def missing(self) -> list[int]:
        """Returns the numbers of the shards that are not finished."""
        return [number for number in range(self.count) if not self.path(number).is_file()]


def _read_job(directory: pathlib.Path) -> dict[str, Any] | None:
    """Returns the job of a directory; None if it does not exist or is empty.

    Raises:
        UsageError: It has something else.
    """
    if not directory.exists():
        return None
    try:
        found: dict[str, Any] = json.loads((directory / _JOB).read_text("utf-8"))
    except FileNotFoundError:
        if not any(directory.iterdir()):
            return None
        raise UsageError(
            f"The directory '{directory}' is not empty, and has no '{_JOB}' of an earlier job. "
            "Name a new one."
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(
            f"Cannot read '{directory / _JOB}': {error}. Name another directory, or delete it."
        ) from None
    return found


def _digest_of_model(model: str | pathlib.Path) -> str:
    """Returns a digest of a model's files, the same wherever they are."""
    digest = hashlib.sha256()
    # Of a run only the model itself: its report may be written again.
    path = pathlib.Path(model)
    files = [path / "model.keras"] if (path / "model.keras").is_file() else files_of_model(model)
    for file in sorted(file for file in files if file.is_file()):
        digest.update(file.name.encode())
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()
