"""`check`: finds problems in data before training."""

import numpy as np

from tfxfer.config.schema import BadImages, RunConfig
from tfxfer.data.checks.examples import Examples
from tfxfer.data.checks.result import CheckResult
from tfxfer.data.checks.rules import findings_of
from tfxfer.data.opening import open_as_it_is
from tfxfer.system.isolation import isolated


@isolated
def check(
    data: str, *, data_dir: str | None = None, bad_images: BadImages = "error"
) -> CheckResult:
    """Checks data for problems: reads and decodes every image of every split.

    Args:
        data: The data, as for `fit`: a folder, a manifest, "digits", or a TFDS or Hugging Face
            dataset.
        data_dir: Directory of TFDS datasets.
        bad_images: What `fit` would do about unreadable images, "error" or "skip".

    Returns:
        The number of images per class and split, and the findings, such as unreadable images,
        duplicates across splits and class imbalance.

    Raises:
        UsageError: The data do not exist, or do not have the layout of a classification dataset.
        DataError: The dataset is known, but neither available locally nor downloadable.

    Examples:
        >>> import tfxfer
        >>> found = tfxfer.check("digits")
        >>> len(found.class_names)
        10
        >>> print(found.describe())  # doctest: +SKIP
    """
    config = RunConfig(data=data, data_dir=data_dir, bad_images=bad_images)
    source = open_as_it_is(config.data, config.data_dir)
    examples = Examples.of(source)
    counts = {
        name: np.bincount(
            examples.labels[examples.readable & (examples.splits == number)],
            minlength=len(source.class_names),
        )
        for number, name in enumerate(source.splits)
    }
    findings = findings_of(examples, bad_images)
    return CheckResult(source.name, source.class_names, counts, findings)
