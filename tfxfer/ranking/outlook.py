"""What more images, and pretraining, are worth to the head of the best backbone."""

from dataclasses import dataclass
from typing import Any

from tfxfer.ranking.learning_curve import LearningCurve


@dataclass(frozen=True)
class Outlook:
    """What more images, and pretraining, are worth to the head of the first backbone.

    Attributes:
        curve: Its learning curve; None if there are too few images for one.
        random_accuracy: Cross-validated accuracy of the head on random weights of the network.
        random_interval: 95% interval of that accuracy.
    """

    curve: LearningCurve | None
    random_accuracy: float
    random_interval: tuple[float, float]

    def describe(self, backbone: str, accuracy: float) -> list[str]:
        """Returns it as lines of text.

        Args:
            backbone: Name of the backbone.
            accuracy: Cross-validated accuracy of its head with the pretrained weights.
        """
        low, high = self.random_interval
        lines = [
            f"The head of {backbone} (before any fine-tuning):",
            f"  with random weights: accuracy {self.random_accuracy:.4f} "
            f"({low:.3f} to {high:.3f}), with pretrained weights {accuracy:.4f}",
        ]
        curve = self.curve
        if curve is None:
            return [*lines, "  too few images for a learning curve"]
        for count, reached in zip(curve.num_images, curve.accuracies, strict=True):
            lines.append(f"  with {count:>7,} training images: accuracy {reached:.4f}")
        for one in curve.predictions:
            low, high = one.interval
            lines.append(
                f"  with {one.num_images:>7,} training images: accuracy {one.accuracy:.4f} "
                f"expected ({low:.3f} to {high:.3f})"
            )
        return lines

    def as_json(self) -> dict[str, Any]:
        """Returns it as JSON-serializable content, rounded."""
        content: dict[str, Any] = {
            "random_weights": {
                "accuracy": round(self.random_accuracy, 6),
                "interval": [round(one, 6) for one in self.random_interval],
            }
        }
        curve = self.curve
        if curve is not None:
            content["learning_curve"] = [
                {"num_images": count, "accuracy": round(accuracy, 6)}
                for count, accuracy in zip(curve.num_images, curve.accuracies, strict=True)
            ]
            content["with_more_images"] = [
                {
                    "num_images": one.num_images,
                    "accuracy": round(one.accuracy, 6),
                    "interval": [round(end, 6) for end in one.interval],
                }
                for one in curve.predictions
            ]
        return content
