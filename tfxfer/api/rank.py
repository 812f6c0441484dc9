"""`rank`: compares pretrained backbones on a dataset without training any of them."""

import pathlib
from typing import Any

from tfxfer.api.modality import by_data
from tfxfer.config.schema import FitConfig
from tfxfer.config.settings import setting_keys
from tfxfer.errors import UsageError, did_you_mean
from tfxfer.planning.inputs import check_inputs
from tfxfer.ranking.candidates import RANKING_SETTINGS, Limits, choose_candidates
from tfxfer.ranking.ranking import Extras, rank_backbones, saying_how_to_resume
from tfxfer.ranking.result import Ranking
from tfxfer.reporting.ranking.page import render
from tfxfer.reporting.writing import write
from tfxfer.system.devices import leave_gpu_to_jax
from tfxfer.system.files import check_output
from tfxfer.system.isolation import isolated
from tfxfer.system.progress import Say
from tfxfer.system.signals import Interruptions
from tfxfer.system.streams import keep_going


@isolated
@by_data
def rank(
    *backbones: str,
    all_backbones: bool = False,
    max_minutes: float | None = None,
    max_parameters: float | None = None,
    max_milliseconds: float | None = None,
    learning_curve: bool = False,
    stages: bool = False,
    output: str | pathlib.Path | None = None,
    say: Say = print,
    **settings: Any,
) -> Ranking:
    """Compares pretrained backbones on a dataset, without training any of them.

    Each backbone computes the features of the train and validation images once; a linear head on
    them is cross-validated. Features are cached: interrupted rankings resume, and neither another
    ranking nor a later `fit` computes them again. Nothing is downloaded.

    Args:
        *backbones: Names of backbones; by default a dozen of different size that are available
            locally.
        all_backbones: Rank all that are available locally.
        max_minutes: Time for the ranking; backbones that would take longer are skipped.
        max_parameters: Skip backbones with more parameters.
        max_milliseconds: Skip backbones that take longer per image on this machine.
        learning_curve: Also measure how additional images, and pretraining, help the head of the
            best backbone.
        stages: Also measure the head on each stage of the best backbone.
        output: HTML page to write; None writes none.
        say: Called with each progress message.
        **settings: Settings of `fit` by name, such as `data`, which is required, `data_dir`, `seed`
            and `image_size`; those that only affect training are refused.

    Returns:
        The backbones, the best first, and the recommendation.

    Raises:
        UsageError: A name or setting is wrong, no backbone is left, or there are too few images.
        DataError: The data cannot be used.
        InterruptionError: Ctrl-C or SIGTERM; the same call resumes.

    Examples:
        >>> import tfxfer
        >>> ranking = tfxfer.rank("resnet10_small", data="digits")  # doctest: +SKIP
        >>> ranking.best.backbone  # doctest: +SKIP
        'resnet10_small'
        >>> print(ranking.describe())  # doctest: +SKIP
    """
    say = keep_going(say)
    limits = Limits(max_minutes, max_parameters, max_milliseconds)
    candidates = choose_candidates(backbones, limits, all_backbones=all_backbones)
    config = _checked(settings)
    if output is not None:
        check_output(output, "--output", [config.data], "text")
    leave_gpu_to_jax()
    with saying_how_to_resume(), Interruptions():
        ranking = rank_backbones(config, candidates, limits, say, Extras(learning_curve, stages))
    if output is not None:
        write(output, render(ranking.as_json()))
    return ranking


def _checked(settings: dict[str, Any]) -> FitConfig:
    """Returns the settings of a ranking.

    Raises:
        UsageError: A setting is unknown, wrong, or without effect on a ranking.
    """
    for name in settings:
        if name not in RANKING_SETTINGS and name in setting_keys(FitConfig):
            raise UsageError(
                f"Setting '{name}' has no effect on a ranking. These do: "
                f"{', '.join(RANKING_SETTINGS)}."
            )
        if name not in RANKING_SETTINGS:
            raise UsageError(f"Unknown setting '{name}'.{did_you_mean(name, RANKING_SETTINGS)}")
    config = FitConfig().with_settings(settings)
    check_inputs(config)
    return config
