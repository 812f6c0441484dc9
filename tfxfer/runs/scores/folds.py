"""The scores of a cross-validation."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class FoldsRecord:
    """Scores that were cross-validated on training and validation images.

    Attributes:
        num_folds: Number of folds.
        num_examples: Number of images, each predicted by a model that was not trained on it.
        accuracy: Share of correct predictions, in [0, 1].
        interval: 95% interval of it, from the pooled predictions of all folds.
        loss: Mean cross-entropy in nats.
        of_fits: Whether the models are whole fits, not heads on the features of the backbone.
        final: How the final model was trained on all of these images; None in older runs, whose
            validation images chose its epoch instead.
        num_validated: Validation images that judged a fit like the final one, which was trained on
            the others; 0 if the folds judged all.
    """

    num_folds: int
    num_examples: int
    accuracy: float
    interval: tuple[float, float]
    loss: float
    of_fits: bool = False
    final: str | None = None
    num_validated: int = 0

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns the record of its content in `metrics.json`; unknown keys are left out."""
        names = {one.name for one in dataclasses.fields(cls)}
        known = {name: value for name, value in content.items() if name in names}
        low, high = known["interval"]
        return cls(**{**known, "interval": (low, high)})

    def describe(self) -> str:
        """Returns the estimate in a line.

        Examples:
            >>> FoldsRecord(5, 420, 0.9312, (0.9029, 0.9517), 0.2).describe()
            'accuracy 0.9312 (95% interval 0.9029 to 0.9517; head, 5 folds of 420 images)'
        """
        low, high = self.interval
        what = "whole fits" if self.of_fits else "head"
        return (
            f"accuracy {self.accuracy:.4f} (95% interval {low:.4f} to {high:.4f}; {what}, "
            f"{self.num_folds} folds of {self.num_examples:,} images)"
        )

    def in_words(self) -> str:
        """Returns the estimate in sentences, for reports."""
        low, high = (f"{100 * end:.1f}" for end in self.interval)
        what = "whole fits" if self.of_fits else "a head on features of the pretrained backbone"
        text = (
            f"Cross-validation: accuracy {self.accuracy:.1%} (95% interval {low} to {high}), of "
            f"{what}, in {self.num_folds} folds of {self.num_examples:,} training and validation "
            "images. Each was predicted by a model that was not trained on it"
        )
        if self.num_validated:
            return (
                f"{text}; fine-tuning is not included. The final model was trained on all of these "
                "images, and no validation split judged it: its settings and number of epochs are "
                f"those that were best on {self.num_validated:,} validation images in a fit on the "
                "others. The out-of-fold scores are of that fit and these images."
            )
        if self.final is not None:
            return (
                f"{text}. The final model was trained on all of these images, and no validation "
                "split judged it: this is the estimate of its accuracy on new images, a cautious "
                "one, as the model of each fold was trained on fewer images."
            )
        return f"{text}." if self.of_fits else f"{text}; fine-tuning is not included."
