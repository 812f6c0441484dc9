"""What a fit adds to a model that is to tell unknown images."""

from dataclasses import replace

from tfxfer.evaluation.cautioning import Rates
from tfxfer.evaluation.cautious import (
    FROM_VALIDATION,
    SET_ASIDE,
    CalibrationImages,
    caution_of,
    measured_rates,
)
from tfxfer.runs.scores.caution import CautionScores
from tfxfer.training.epochs.session import Session
from tfxfer.training.transfer import Trained


def with_caution(trained: Trained, session: Session) -> Trained:
    """Returns a model that tells unknown images, if that is asked for, with how well it does."""
    config, images = trained.plan.config, trained.images
    if not config.unknown:
        return trained
    set_aside = images[SET_ASIDE]
    calibrating = CalibrationImages(
        set_aside, set_aside.labels, FROM_VALIDATION, is_independent=True
    )
    rates = Rates(config.unknown_rate, config.coverage)
    caution = caution_of(trained.classifier(), images["train"], calibrating, rates)
    caution.write(trained.plan.run.caution)
    trained = replace(trained, caution=caution)
    measured = None
    if "test" in images:
        measured = measured_rates(trained.classifier(), images["test"], "test")
    scores = CautionScores(caution.record, measured)
    session.clock.lap("unknown")
    return replace(trained, metrics=replace(trained.metrics, caution=scores))
