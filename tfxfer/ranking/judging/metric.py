"""The metric that backbones are ranked by, which depends on the kind of labels."""

from dataclasses import dataclass

from tfxfer.data.labels.kinds import MULTI_LABEL, MULTI_TASK, NUMERIC
from tfxfer.data.labels.numbers import readable


@dataclass(frozen=True)
class Metric:
    """A metric of a head.

    Attributes:
        key: Its name in JSON.
        short: Its name in the heading of a narrow column.
        loss: The name of the loss beside it.
        is_error: Whether lower is better. If so it has the unit of the target; the others are
            in [0, 1].
    """

    key: str
    short: str
    loss: str = "log loss"
    is_error: bool = False

    @property
    def name(self) -> str:
        """Its name in a sentence.

        Examples:
            >>> MEAN_AVERAGE_PRECISION.name
            'mean average precision'
        """
        return self.key.replace("_", " ")

    def goodness(self, value: float) -> float:
        """Returns a number that is higher for a better value."""
        return -value if self.is_error else value

    def shown(self, value: float, digits: int = 4) -> str:
        """Returns a value as text.

        Args:
            value: The value.
            digits: Digits after the point of a value in [0, 1].

        Examples:
            >>> ACCURACY.shown(0.91234, 3), MEAN_ABSOLUTE_ERROR.shown(12.3456)
            ('0.912', '12.35')
        """
        return readable(value) if self.is_error else f"{value:.{digits}f}"

    def interval_shown(self, interval: tuple[float, float]) -> str:
        """Returns an interval as text, such as "0.901 to 0.923"."""
        low, high = interval
        return f"{self.shown(low, 3)} to {self.shown(high, 3)}"


ACCURACY = Metric("accuracy", "accuracy")
MEAN_AVERAGE_PRECISION = Metric("mean_average_precision", "mAP")
MEAN_ACCURACY = Metric("mean_accuracy", "accuracy")
MEAN_ABSOLUTE_ERROR = Metric("mean_absolute_error", "MAE", loss="loss", is_error=True)

# By the kind of labels in one word; empty where an image has one class.
METRICS = {
    "": ACCURACY,
    MULTI_LABEL: MEAN_AVERAGE_PRECISION,
    MULTI_TASK: MEAN_ACCURACY,
    NUMERIC: MEAN_ABSOLUTE_ERROR,
}
