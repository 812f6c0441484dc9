"""The metrics of a classifier of several tasks on a split: printed, as JSON, with intervals."""

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tfxfer.data.labels.targets import numbered
from tfxfer.data.labels.tasks import MISSING, Tasks
from tfxfer.evaluation import calibration
from tfxfer.evaluation.calibration import Calibration
from tfxfer.evaluation.intervals import BOOTSTRAP_SAMPLES, bootstrap_intervals, intervals_as_json
from tfxfer.evaluation.one_label import evaluate_classes
from tfxfer.evaluation.result import EvaluationResult
from tfxfer.models.tasks.softmaxes import softmaxes
from tfxfer.runs.scores.summary import Summary, TaskSummary


@dataclass(frozen=True)
class TasksResult:
    """The metrics of a classifier of several tasks on a split.

    An image whose label of a task is missing counts in no metric of that task.

    Attributes:
        data: Name of the dataset.
        split: "train", "validation", "test" or "all".
        tasks: The tasks, with their classes.
        probabilities: Shape (num_examples, num_outputs), in the order of the data.
        labels: 0, 1, or NaN where missing, in the same shape; see `labels.tasks`.
        notes: Remarks on the images, such as how many were left out or trained on.
    """

    data: str
    split: str
    tasks: Tasks
    probabilities: npt.NDArray[np.float32] = field(repr=False)
    labels: npt.NDArray[np.float32] = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the model's outputs."""
        return self.tasks.output_names

    @property
    def num_examples(self) -> int:
        """Number of images."""
        return len(self.labels)

    @functools.cached_property
    def true(self) -> npt.NDArray[np.int64]:
        """The class of each task, -1 where it is missing, (num_examples, num_tasks)."""
        return self.tasks.chosen(self.labels)

    @functools.cached_property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The predicted class of each task, (num_examples, num_tasks)."""
        return self.tasks.chosen(self.probabilities)

    def examples_of(self, task: str) -> npt.NDArray[np.int64]:
        """Returns the images whose label of a task is known, ascending."""
        return np.flatnonzero(self.true[:, self.tasks.names.index(task)] != MISSING)

    @functools.cached_property
    def of_task(self) -> dict[str, EvaluationResult]:
        """The metrics of each task, of the images whose label is known; only if there is one."""
        found = {}
        for place, (name, columns) in enumerate(self.tasks.columns.items()):
            known = self.examples_of(name)
            if len(known):
                found[name] = evaluate_classes(
                    self.data,
                    self.split,
                    self.tasks.classes[place],
                    self.probabilities[known, columns],
                    self.true[known, place],
                )
        return found

    @property
    def accuracy(self) -> float:
        """Mean over the tasks of their accuracy, in [0, 1]."""
        return float(np.mean([one.accuracy for one in self.of_task.values()]))

    @property
    def exact_match(self) -> float:
        """Share of images all of whose known labels are right, in [0, 1]."""
        return float(self._is_right.all(axis=1).mean())

    @property
    def loss(self) -> float:
        """Mean cross-entropy of a known label in nats, without label smoothing."""
        return float(self._losses.sum() / max(1, self._is_known.sum()))

    @functools.cached_property
    def _is_known(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.true != MISSING)

    @functools.cached_property
    def _is_right(self) -> npt.NDArray[np.bool_]:
        return np.asarray((self.true == self.predicted) | ~self._is_known)

    @functools.cached_property
    def _losses(self) -> npt.NDArray[np.float64]:
        objective = softmaxes(self.tasks.sizes)
        return np.asarray(objective.probability_losses(self.probabilities, self.labels))

    @functools.cached_property
    def calibration(self) -> Calibration:
        """Reliability diagram and expected calibration error of all tasks together."""
        objective = softmaxes(self.tasks.sizes)
        return calibration.calibration(self.probabilities, self.labels, objective=objective)

    @functools.cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """95% intervals of the metrics of all tasks together, as (low, high)."""
        return _intervals(self)

    def summary(self) -> Summary:
        """Returns the metrics as `metrics.json` holds them."""
        return Summary(
            accuracy=self.accuracy,
            loss=self.loss,
            num_examples=self.num_examples,
            exact_match=self.exact_match,
            tasks={
                name: TaskSummary(
                    accuracy=one.accuracy,
                    balanced_accuracy=one.balanced_accuracy,
                    macro_f1=one.classes.macro()["f1"],
                    loss=one.loss,
                    num_examples=one.num_examples,
                )
                for name, one in self.of_task.items()
            },
        )

    def rows(self) -> list[tuple[str, float, tuple[float, float]]]:
        """Returns the metrics to show, each as (name, value, 95% interval)."""
        rows = [("mean accuracy", self.accuracy, self.intervals["accuracy"])]
        for task, one in self.of_task.items():
            f1 = one.classes.macro()["f1"]
            rows.append((f"{task}: accuracy", one.accuracy, one.intervals["accuracy"]))
            rows.append((f"{task}: macro F1", f1, one.intervals["macro_f1"]))
        rows += [
            ("exact match", self.exact_match, self.intervals["exact_match"]),
            ("log loss", self.loss, self.intervals["loss"]),
            ("calibration error", self.calibration.error, self.intervals["calibration_error"]),
        ]
        return rows

    def as_json(self) -> dict[str, Any]:
        """Returns everything except the probabilities, ready for JSON."""
        return {
            "data": self.data,
            "split": self.split,
            "num_examples": self.num_examples,
            "notes": list(self.notes),
            "accuracy": self.accuracy,
            "exact_match": self.exact_match,
            "loss": self.loss,
            "intervals": intervals_as_json(self.intervals),
            "calibration": {"error": self.calibration.error},
            "tasks": {name: one.as_json() for name, one in self.of_task.items()},
        }

    def describe(self) -> str:
        """Returns the metrics as text: those of all tasks together, then those of each task."""
        width = max(len(name) for name, _, _ in self.rows()) + 2
        lines = [f"{self.data} {self.split}, {self.num_examples:,} images"]
        lines += [f"  note: {note}" for note in self.notes]
        lines += [
            f"  {name:{width}s}{value:.4f}  ({low:.4f} to {high:.4f})"
            for name, value, (low, high) in self.rows()
        ]
        how = f"accuracy of a task: Wilson score, others: {BOOTSTRAP_SAMPLES:,} bootstrap samples"
        lines.append(f"  in brackets: 95% interval ({how})")
        for task, one in self.of_task.items():
            lines += ["", f"task {task}", *one.describe().splitlines()]
        return "\n".join(lines)


def _intervals(result: TasksResult) -> dict[str, tuple[float, float]]:
    """Returns the bootstrap intervals of all metrics, computed on the same samples.

    They do not depend on the order of the images.
    """
    order = np.lexsort((result._losses.sum(axis=1), numbered(result.labels)))
    losses, known = result._losses[order], result._is_known[order]
    right: npt.NDArray[np.bool_] = np.asarray(result._is_right[order] & known)
    exact = np.asarray(result._is_right[order].all(axis=1))
    columns = list(result.tasks.columns.values())
    rows = result.probabilities[order]
    confidence = np.stack([rows[:, one].max(axis=1) for one in columns], axis=1).astype(np.float64)

    def statistics(drawn: npt.NDArray[np.int64]) -> dict[str, float]:
        of_drawn, right_of_drawn = known[drawn], right[drawn]
        counts = np.count_nonzero(of_drawn, axis=0)
        num_right = np.asarray(right_of_drawn.sum(axis=0))
        shares = num_right[counts > 0] / counts[counts > 0]
        return {
            "accuracy": float(shares.mean()),
            "exact_match": float(exact[drawn].mean()),
            "loss": float(losses[drawn].sum() / max(1, counts.sum())),
            "calibration_error": calibration.calibration_error(
                confidence[drawn][of_drawn], right_of_drawn[of_drawn]
            ),
        }

    return bootstrap_intervals(statistics, len(losses))
