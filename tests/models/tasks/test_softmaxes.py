"""The objective of several tasks."""

import keras
import numpy as np
import pytest
import scipy.special
import sklearn.metrics

from tfxfer.models.objectives import SOFTMAX, Scores
from tfxfer.models.tasks.softmaxes import softmaxes

SIZES = (3, 2)
GROUPS = (slice(0, 3), slice(3, 5))
OBJECTIVE = softmaxes(SIZES)


@pytest.fixture
def told():
    """Logits and labels of 30 examples of two tasks, of which some are missing, and weights."""
    generator = np.random.default_rng(0)
    logits = generator.normal(scale=2, size=(30, 5)).astype("float32")
    labels = np.zeros((30, 5), np.float32)
    for group in GROUPS:
        classes = generator.integers(group.stop - group.start, size=30)
        labels[np.arange(30), group.start + classes] = 1
        labels[generator.random(30) < 0.2, group] = np.nan
    weights = np.repeat(generator.gamma(1.0, size=(30, 1)), 5, axis=1)
    return logits, labels, (weights / weights.mean()).astype("float32")


def test_the_layers_that_are_saved_give_what_the_function_of_arrays_gives(told):
    logits, _, _ = told
    inputs = keras.Input((5,))
    model = keras.Model(inputs, OBJECTIVE.activation()(inputs))
    expected = [scipy.special.softmax(logits[:, group], axis=1) for group in GROUPS]
    probabilities = OBJECTIVE.activate(logits)
    assert probabilities == pytest.approx(np.concatenate(expected, axis=1), abs=1e-6)
    assert keras.ops.convert_to_numpy(model(logits)) == pytest.approx(probabilities, abs=1e-6)
    assert (model.layers[-1].name, model.layers[-1].compute_dtype) == ("probabilities", "float32")
    again = OBJECTIVE.activate(OBJECTIVE.logits_of(probabilities))
    assert again == pytest.approx(probabilities, abs=1e-6)


def test_the_accuracy_is_the_mean_of_those_of_the_tasks(told):
    logits, labels, weights = told
    for some in (None, weights):
        expected = []
        for group in GROUPS:
            known = ~np.isnan(labels[:, group]).any(axis=1)
            true, predicted = labels[known, group].argmax(1), logits[known, group].argmax(1)
            own = None if some is None else some[known, 0]
            expected.append(sklearn.metrics.accuracy_score(true, predicted, sample_weight=own))
        assert OBJECTIVE.metric(logits, labels, some) == pytest.approx(np.mean(expected), rel=1e-6)
        metric = OBJECTIVE.keras_metric()
        for half in (slice(0, 10), slice(10, 30)):
            metric.update_state(labels[half], logits[half], None if some is None else some[half])
        assert metric.name == "accuracy"
        assert float(metric.result()) == pytest.approx(np.mean(expected), rel=1e-5)
    assert OBJECTIVE.metric(logits, np.full_like(labels, np.nan), None) == 0


def test_keras_trains_what_the_solver_minimizes(told):
    logits, labels, weights = told
    objective = softmaxes(SIZES, (1.5, 0.5))
    inputs = keras.Input((5,))
    model = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
    model.compile(loss=objective.loss(0.1), weighted_metrics=[objective.keras_metric()])
    found = model.evaluate(logits, labels, sample_weight=weights, batch_size=30, verbose=0)
    assert Scores(*found) == pytest.approx(objective.scores(logits, labels, 0.1, weights), rel=1e-5)
    loss, _ = objective.loss_and_slope(logits, labels, 0.1, weights)
    assert loss == pytest.approx(found[0], rel=1e-5)


def test_one_task_is_what_one_class_for_each_example_is(told):
    logits = told[0][:, :3]
    classes = np.arange(30) % 3
    labels = np.eye(3, dtype=np.float32)[classes]
    one = softmaxes((3,))
    assert one.scores(logits, labels, 0.1) == pytest.approx(SOFTMAX.scores(logits, classes, 0.1))
    assert one.guess_loss(3) == pytest.approx(SOFTMAX.guess_loss(3))
    ours, theirs = (
        objective.loss_and_slope(logits, some, 0.1)[1]
        for objective, some in ((one, labels), (SOFTMAX, classes))
    )
    assert ours == pytest.approx(theirs, abs=1e-7)


def test_a_guess_has_the_loss_of_logits_of_zero(told):
    labels = np.nan_to_num(told[1])
    labels[labels[:, :3].sum(axis=1) == 0, 0] = 1
    labels[labels[:, 3:].sum(axis=1) == 0, 3] = 1
    for weights in (None, (0.5, 1.5)):
        objective = softmaxes(SIZES, weights)
        guess = objective.scores(np.zeros((30, 5)), labels, 0.0)
        assert objective.guess_loss(5) == pytest.approx(guess.loss)


def test_the_higher_accuracy_is_better_then_the_lower_loss():
    assert OBJECTIVE.rank(0.9, 0.6) > OBJECTIVE.rank(0.1, 0.5)
    assert OBJECTIVE.rank(0.1, 0.5) > OBJECTIVE.rank(0.2, 0.5)


def test_claims_and_hits_are_those_of_known_labels():
    probabilities = [[0.7, 0.2, 0.1, 0.4, 0.6], [0.1, 0.1, 0.8, 0.9, 0.1]]
    labels = np.array([[1, 0, 0, 1, 0], [np.nan] * 3 + [1, 0]])
    assert OBJECTIVE.hits(probabilities, labels).tolist() == [0.5, 1.0]
    confidence, is_right = OBJECTIVE.confidences(probabilities, labels)
    assert confidence.tolist() == pytest.approx([0.7, 0.6, 0.9])
    assert is_right.tolist() == [True, False, True]
    nothing = np.full((1, 5), np.nan)
    assert OBJECTIVE.hits(probabilities[:1], nothing).tolist() == [1.0]


def test_weights_are_learned_only_where_they_are_asked_for():
    assert OBJECTIVE.view is None
    assert softmaxes(SIZES, by_uncertainty=True).view is not None
    assert softmaxes(SIZES) is OBJECTIVE  # the same one each time
