"""A classifier is evaluated on a split."""

import dataclasses

import numpy as np

from tfxfer.data.labels.outputs import Outputs
from tfxfer.evaluation.metrics import summarize
from tfxfer.evaluation.predictions import evaluate_predictions
from tfxfer.evaluation.scoring import score, why_not_evaluable


def test_the_numbers_are_those_of_the_summary():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6]], np.float32)
    labels = np.array([0, 0, 1, 1])
    found = evaluate_predictions(
        "things", "test", Outputs(("a", "b")), probabilities, labels, ("a note",)
    )
    summary = dataclasses.asdict(summarize(probabilities, labels))
    expected = {name: value for name, value in summary.items() if value is not None}
    assert found.imbalanced == expected.pop("uneven_classes")
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.confusion.tolist() == [[2, 0], [1, 1]]
    assert (found.data, found.split, found.notes) == ("things", "test", ("a note",))
    assert found.top_5_accuracy is None


def test_a_split_is_scored_whatever_the_batches(trained):
    source = trained.open_source()
    found = score(trained, source, "test", batch_size=5)
    assert (found.num_examples, found.split, found.class_names) == (12, "test", trained.class_names)
    np.testing.assert_allclose(
        found.probabilities, score(trained, source, "test").probabilities, atol=1e-6
    )
    everything = score(trained, source, "all")
    assert everything.num_examples == sum(len(split) for split in source.everything.values())


def test_why_no_split_evaluates_is_one_sentence_or_two(trained):
    source = trained.open_source()
    told = why_not_evaluable(dataclasses.replace(source, name="x", splits={}, absent={}))
    assert told.startswith("'x' ")
    assert "test or validation" in told
    seen = dataclasses.replace(source, splits={}, absent={"test": "It has seen all of it."})
    assert why_not_evaluable(seen).endswith("It has seen all of it.")
    assert "test or validation" in why_not_evaluable(seen)
