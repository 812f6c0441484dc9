"""`fit --folds` with fine-tuning: a whole fit that validation judges, before the final one.

The folds judge heads, which says nothing of how many epochs of fine-tuning are good, nor which way
of a search is. So the fit is carried out on the training images alone, as without folds, and what
it found on validation is what the final model is trained with.
"""

import dataclasses

from tfxfer.data.cache import places
from tfxfer.ranking.folding.deciding import FoldFit, describe_final, settings_of_final
from tfxfer.ranking.folding.final import Judged
from tfxfer.ranking.folding.fits import fit_within, predictions_of
from tfxfer.training.epochs.session import Session
from tfxfer.training.transfer import PreparedFit

# Name of its run, in that of the final fit.
_RUN = "validated"


def judged_on_validation(fitting: PreparedFit, heads: Judged, session: Session) -> Judged:
    """Returns the scores of the heads of folds, with what a fit found on validation.

    Where the folds have judged what the final model is, a solved head, that is as it was.

    Args:
        fitting: The fit; its test images stay unseen, and those that are set aside.
        heads: What the heads of the folds say.
        session: The call.

    Raises:
        InterruptionError: A signal was received; resuming the run resumes this fit.
        RunError: Training failed.
    """
    if heads.record.final is not None:
        return heads
    plan = fitting.run.plan
    splits = {name: fitting.materials.images[name].split for name in ("train", "validation")}
    fit, validation = fit_within(plan, _RUN, splits), splits["validation"]
    sizes = ", ".join(f"{len(one):,} {name}" for name, one in splits.items())
    session.say(f"\nfit that validation judges: {sizes} images")
    known, probabilities = predictions_of(fit, "validation", session)
    found = FoldFit.of(fit.run)
    config = settings_of_final([found], plan)
    final = describe_final([found], config, len(heads.whole))
    return dataclasses.replace(
        heads,
        record=dataclasses.replace(heads.record, final=final, num_validated=len(validation)),
        predicted=validation,
        probabilities=probabilities[places(validation.digests(), known)],
        config=config,
        validated=fit.run,
    )
