"""The data of a fit, examined for its report."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.curation.section.known import KnownImages
from tfxfer.curation.section.looking import Asked, look
from tfxfer.curation.section.writing import write_findings
from tfxfer.data.splitting import was_held_out
from tfxfer.errors import InterruptionError
from tfxfer.models.objectives import SOFTMAX
from tfxfer.training.frozen.features import FeatureFunction
from tfxfer.training.transfer import PreparedFit, Trained


@dataclass(frozen=True)
class DataOfFit:
    """What is needed to examine the data of a fit once it is trained.

    Attributes:
        function: The features as the head phase caches them.
    """

    function: FeatureFunction

    @classmethod
    def of(cls, fitting: PreparedFit) -> Self | None:
        """Returns it, before anything is trained; None for data that are not examined.

        These have several labels, several tasks or an order, or no pretrained features.
        """
        given = fitting.materials
        if fitting.run.classifier.objective is not SOFTMAX or given.config.weights == "none":
            return None
        return cls(given.classifiers.first_features)

    def write_findings(self, trained: Trained, say: Callable[[str], None]) -> None:
        """Writes what the features say about the data into the run; whatever fails is told only.

        Args:
            trained: The trained fit.
            say: Called with a note if it failed.
        """
        try:
            self._write_findings(trained)
        except InterruptionError:
            raise
        except Exception as error:  # a model is not lost over a part of its report
            reason = str(error) or type(error).__name__
            say(f"note: the data were not examined for the report: {reason}")

    def _write_findings(self, trained: Trained) -> None:
        plan, config = trained.plan, trained.plan.config
        known = KnownImages.of(self.function, trained.images, config)
        if known is None:
            return
        notes = plan.source.notes
        asked = Asked(
            backbone=config.backbone,
            class_names=plan.source.class_names,
            penalty=trained.metrics.penalty,
            given_splits=frozenset(
                name for name in plan.source.splits if not was_held_out(name, notes)
            ),
            seed=config.seed,
        )
        changes = {key: getattr(config, key) for key in ("data", "data_dir", "backbone")}
        first = FitConfig()
        if plan.run.asked.is_file():
            first = read_recipe(plan.run.asked, first)
        command = replace(first, **changes)
        write_findings(plan.run, look(known, asked), command)
