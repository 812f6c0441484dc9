"""What an export says of unknown images is what the model says; anything else is refused."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from messages import parts

from tfxfer.errors import ExportError
from tfxfer.exporting.caution import CautionGraph, NamedCaution
from tfxfer.inference.caution import Caution
from tfxfer.runs.scores.caution import CautionRecord

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def made():
    """A caution, with features and probabilities of images."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(50, 8)).astype(np.float32)
    record = CautionRecord(0.05, 5, 50, 1.2, 0.9, 0.3, "test", 100, True)
    features = generator.normal(size=(40, 8)).astype(np.float32)
    shares = generator.dirichlet(np.ones(3), 40).astype(np.float32)
    mean, scale = generator.uniform(1, 2, (2, 8)).astype(np.float32)
    return Caution(rows, mean, scale, record), features, shares


def answered(made):
    caution, features, shares = made
    found = CautionGraph(caution, NAMES)(tf.constant(features), tf.constant(shares))
    answer = {name: value.numpy().tolist() for name, value in found.items()}
    answer["set_labels"] = [[name.decode() for name in row] for row in answer["set_labels"]]
    return answer


def test_the_graph_computes_what_the_model_says(made):
    caution, features, shares = made
    answer, judged = answered(made), caution.judge(features, shares)
    np.testing.assert_allclose(answer["unknown_score"], judged.score, atol=1e-5)
    assert answer["unknown"] == judged.unknown.tolist()
    assert answer["in_set"] == judged.in_set.tolist()
    assert answer["set_labels"] == np.where(judged.in_set, NAMES, "").tolist()
    NamedCaution(NAMES, caution).check("all", answer, features, shares)
    first = {name: value[:3] for name, value in answer.items()}
    NamedCaution(NAMES, caution).check("the first", first, features, shares)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("unknown_score", lambda x: [one + 0.01 for one in x], "scores of unknown images differ"),
        ("unknown", lambda x: [not one for one in x], "the unknown images differ"),
        ("in_set", lambda x: [[True] * 3 for _ in x], "the prediction sets differ"),
        ("set_labels", lambda x: [[""] * 3 for _ in x], "the names of the prediction sets differ"),
    ],
)
def test_another_answer_is_refused(made, name, change, message):
    caution, features, shares = made
    answer = answered(made)
    answer[name] = change(answer[name])
    with pytest.raises(ExportError, match=parts(f"for all ... {message}")):
        NamedCaution(NAMES, caution).check("all", answer, features, shares)


def test_a_score_near_the_threshold_may_be_on_either_side(made):
    caution, features, shares = made
    answer = answered(made)
    exact = dataclasses.replace(caution.record, threshold=answer["unknown_score"][0])
    answer["unknown"] = [score > exact.threshold for score in answer["unknown_score"]]
    answer["unknown"][0] = not answer["unknown"][0]
    exactly = dataclasses.replace(caution, record=exact)
    NamedCaution(NAMES, exactly).check("all", answer, features, shares)
