"""What is asked for when images to label next are chosen, checked before TensorFlow is imported."""

import dataclasses
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from tfxfer.config.paths import is_url, user_path
from tfxfer.errors import UsageError, did_you_mean
from tfxfer.system.files import check_output
from tfxfer.system.run_layout import files_of_model

Strategy = Literal["typical", "uncertain"]


@dataclass(frozen=True)
class Choice:
    """How images to label next are chosen.

    Attributes:
        count: How many, at least 1; fewer if there are not so many.
        strategy: "typical" or "uncertain"; None goes by the number of labeled images per class.
        batch_size: Images per step; does not change the result.
        seed: Of the clustering, or of the draws.
    """

    count: int = 50
    strategy: Strategy | None = None
    batch_size: int = 64
    seed: int = 0

    @classmethod
    def of(cls, **settings: Any) -> Self:
        """Returns the choice of some settings by name.

        Raises:
            UsageError: One of them is unknown, or impossible.
        """
        names = [one.name for one in dataclasses.fields(cls)]
        for name in settings:
            if name not in names:
                raise UsageError(f"Unknown setting '{name}'.{did_you_mean(name, names)}")
        choice = cls(**settings)
        for name, least in {"count": 1, "batch_size": 1, "seed": 0}.items():
            value = getattr(choice, name)
            if not isinstance(value, int) or value < least:
                raise UsageError(
                    f"'{name}' is {value!r}; it must be a whole number, at least {least}."
                )
        if choice.strategy not in (None, *get_args(Strategy)):
            raise UsageError(
                f"'strategy' is {choice.strategy!r}; it must be one of "
                f"{', '.join(get_args(Strategy))}."
            )
        return choice


def check_files(
    run: str | pathlib.Path,
    paths: Sequence[str | pathlib.Path],
    manifest: str | pathlib.Path | None,
    output: str | pathlib.Path | None,
    *,
    with_labeled: bool,
) -> None:
    """Checks what is to be read and written.

    Args:
        run: A run's directory.
        paths: Image files, folders and patterns.
        manifest: A .csv file to write, if any.
        output: A page to write, if any.
        with_labeled: Whether the manifest also has the images of the run.

    Raises:
        UsageError: Something is impossible.
    """
    if not paths:
        raise UsageError("There are no images to choose from. Give a folder of unlabeled images.")
    for path in map(str, paths):
        if is_url(path):
            raise UsageError(f"'{path}' is a URL, and label-next reads a file system. Copy it.")
    if user_path(run).is_file():
        raise is_no_run(run)
    if with_labeled and manifest is None:
        raise UsageError("--with-labeled needs --manifest: it adds to that file.")
    read = [*files_of_model(run), *paths]
    if manifest is not None:
        if pathlib.Path(manifest).suffix.lower() != ".csv":
            raise UsageError(
                f"Cannot write the manifest '{manifest}': its name must end in .csv. Choose "
                "another file with --manifest."
            )
        check_output(manifest, "--manifest", read, "text")
    if output is not None:
        check_output(output, "--output", read, "text")


def is_no_run(model: str | pathlib.Path) -> UsageError:
    """Returns the error that a model is not in a run."""
    return UsageError(
        f"'{model}' is a model without its run, so it is not known which images have a label. "
        "Give a run, such as runs/NAME."
    )
