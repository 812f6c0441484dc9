"""`check`: what a person would want to know of the data before training."""

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
    """Returns what there is to say about data: every image of every split is read and decoded.

    Args:
        data: As for `fit`.
        data_dir: Where TFDS data lie.
        bad_images: What `fit` would be told to do about images that cannot be read, "error" or
            "skip".

    Raises:
        UsageError: There are no such data, or they are not laid out as a classifier needs them.
        DataError: They are known, but neither here nor to be had.
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
