"""The metrics of a classifier, printed and as JSON."""

import json

import numpy as np
import pytest

from tfxfer.data.labels.outputs import Outputs
from tfxfer.evaluation.confusion import Confusion
from tfxfer.evaluation.intervals import bootstrap_intervals
from tfxfer.evaluation.predictions import evaluate_predictions
from tfxfer.evaluation.result import MATRIX_CLASSES
from tfxfer.models.losses.cross_entropy import example_losses
from tfxfer.system.tables import text_width


def predicted(num_classes, labels, taken, names=None):
    """Returns the evaluation of probabilities that are nearly sure of a class."""
    probabilities = np.full((len(labels), num_classes), 0.1 / (num_classes - 1), np.float32)
    probabilities[np.arange(len(labels)), taken] = 0.9
    names = names or tuple(f"class {number}" for number in range(num_classes))
    return evaluate_predictions("things", "test", Outputs(names), probabilities, np.array(labels))


def test_the_table_of_the_classes_lines_up_whatever_they_are_called():
    names = ("a longer name", "ねこ 猫", "perro\u0301", "\U0001f431")
    lines = predicted(4, [0, 1, 2, 3], [0, 1, 2, 3], names).describe().splitlines()
    (start,) = (number for number, line in enumerate(lines) if line.startswith("  class"))
    assert len({text_width(line) for line in lines[start : start + 5]}) == 1


def test_what_is_printed_names_what_is_confused():
    text = predicted(3, [0, 0, 0, 1, 1, 2], [0, 1, 1, 1, 0, 2], ("a", "b", "c")).describe()
    lines = text.splitlines()
    assert lines[0] == "things test, 6 images"
    assert lines[1].startswith("  accuracy          0.5000  (")
    assert "  a         0.5000  0.3333  0.4000       3" in lines
    assert [line.split() for line in lines[-2:]] == [
        ["2", "a", "predicted", "as", "b"],
        ["1", "b", "predicted", "as", "a"],
    ]
    assert "top-5" not in text


def test_of_many_classes_those_with_the_lowest_f1_are_shown():
    labels = np.arange(30).repeat(2)
    taken = labels.copy()
    taken[14] = 0
    evaluation = predicted(30, labels, taken)
    lines = evaluation.describe().splitlines()
    (head,) = [number for number, line in enumerate(lines) if "lowest F1" in line]
    assert lines[head + 1].startswith("  class 7 ")
    assert len([line for line in lines[head + 1 :] if line.startswith("  class")]) == 20
    assert evaluation.top_5_accuracy is not None
    assert "top-5 accuracy" in evaluation.describe()


def test_the_intervals_are_those_of_whole_matrices():
    """What they were when each sample had a matrix, to the last bit."""
    generator = np.random.default_rng(1)
    labels = generator.integers(7, size=90)
    probabilities = generator.random((90, 7), dtype=np.float32)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    losses = example_losses(probabilities, labels)
    order = np.lexsort((losses, probabilities.argmax(axis=1), labels))  # that of the samples
    probabilities, labels = probabilities[order], labels[order]
    predicted = probabilities.argmax(axis=1)

    def numbers(chosen):
        confusion = Confusion.from_predictions(labels[chosen], predicted[chosen], 7).dense()
        support, taken = confusion.sum(axis=1), confusion.sum(axis=0)
        right = np.diag(confusion).astype(np.float64)
        both = support + taken
        f1 = np.where(both > 0, 2 * right / np.maximum(both, 1), 0.0)
        return {
            "balanced_accuracy": float((right / np.maximum(support, 1))[support > 0].mean()),
            "macro_f1": float(np.mean(f1[both > 0])),
        }

    names = tuple("abcdefg")
    found = evaluate_predictions("things", "test", Outputs(names), probabilities, labels).intervals
    for name, ends in bootstrap_intervals(numbers, 90).items():
        assert found[name] == ends


def many_classes(num_classes):
    """Returns the evaluation of two images of each class, of which every third is wrong."""
    labels = np.repeat(np.arange(num_classes), 2)
    taken = np.where(np.arange(len(labels)) % 3 == 0, (labels + 7) % num_classes, labels)
    return predicted(num_classes, labels, taken)


@pytest.mark.parametrize("num_classes", [MATRIX_CLASSES, MATRIX_CLASSES + 1])
def test_of_many_classes_the_json_has_the_cells_that_are_not_empty(num_classes):
    result = many_classes(num_classes)
    content = json.loads(json.dumps(result.as_json()))
    assert len(content["classes"]) == num_classes
    if num_classes <= MATRIX_CLASSES:
        assert content["confusion"] == result.confusion.tolist()
        assert "confusion_pairs" not in content
        return
    assert "confusion" not in content
    matrix = np.zeros((num_classes, num_classes), int)
    for label, taken, count in content["confusion_pairs"]:
        assert count > 0
        matrix[label, taken] = count
    np.testing.assert_array_equal(matrix, result.confusion)


def test_the_json_grows_with_the_classes_and_not_with_their_square():
    sizes = [len(json.dumps(many_classes(number).as_json())) for number in (600, 1200)]
    assert sizes[1] < 2.2 * sizes[0]
    assert sizes[1] < 400_000


def test_intervals_do_not_depend_on_the_order_of_the_images(predictions):
    probabilities, labels = predictions
    probabilities = probabilities.astype("float32")
    order = np.random.default_rng(1).permutation(len(labels))
    outputs = Outputs(tuple("abcde"))
    one, other = (
        evaluate_predictions("flowers", "test", outputs, probabilities[rows], labels[rows])
        for rows in (np.arange(len(labels)), order)
    )
    for name, ends in one.intervals.items():
        assert other.intervals[name] == pytest.approx(ends, abs=1e-9)
