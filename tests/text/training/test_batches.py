import keras
import numpy as np

from tfxfer.config.schema import FitConfig
from tfxfer.text.models.backbones import BACKBONES
from tfxfer.text.planning.defaults import TextFacts, decide_text
from tfxfer.text.training.batches import (
    TextExamples,
    TextPredictor,
    epoch_order,
    training_batches,
)


def examples(num=37, length=70, weighted=False):
    generator = np.random.default_rng(0)
    ids = np.zeros((num, length), np.int32)
    for row, count in enumerate(generator.integers(1, length + 1, num)):
        ids[row, :count] = generator.integers(1, 9, count)
    weights = generator.uniform(0.5, 1.5, num).astype(np.float32) if weighted else None
    return TextExamples(ids, np.arange(num) % 3, weights)


def config(batch_size=5, seed=0):
    given = FitConfig(batch_size=batch_size, seed=seed)
    return decide_text(given, TextFacts(100, 70, BACKBONES["average"]))


def taken(batches, first, end, step=0):
    return list(batches.of(first, end, step).as_numpy_iterator())


def test_an_epoch_has_every_text_once_with_its_label_and_weight():
    found = examples(weighted=True)
    batches = training_batches(found, config())
    assert batches.steps == 8
    rows = {found.ids[n].tobytes(): n for n in range(37)}
    seen = []
    for ids, labels, weights in taken(batches, 2, 3):
        for one, label, weight in zip(ids, labels, weights):
            n = rows[np.pad(one, (0, 70 - len(one))).tobytes()]
            assert (label, weight) == (found.labels[n], found.weights[n])
            seen.append(n)
    assert sorted(seen) == list(range(37))


def test_epochs_differ_and_follow_from_seed_and_number_alone():
    batches = training_batches(examples(), config())
    whole = taken(batches, 0, 3)
    resumed = taken(batches, 1, 3, step=3)
    assert len(whole) == 24
    for one, other in zip(whole[11:], resumed, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    orders = [
        np.concatenate(epoch_order(examples().lengths, 5, *key)) for key in ((0, 0), (0, 1), (1, 0))
    ]
    assert len({tuple(order) for order in orders}) == 3


def test_they_are_not_tuned_as_closing_might_wait_for_that():
    batches = training_batches(examples(), config())
    assert batches.of(0, 1, 0).options().autotune.enabled is False


def test_texts_of_similar_length_come_together():
    lengths = np.random.default_rng(0).integers(1, 400, 1000)
    spread = np.mean([np.ptp(lengths[rows]) for rows in epoch_order(lengths, 10, 0, 0)])
    assert spread < 20  # of a random ten it is about 330


def test_batches_are_cut_to_their_longest_text():
    found = examples()
    cut = found.cut(np.array([0, 1]))
    longest = found.lengths[:2].max()
    assert cut.shape[1] == min(-(-longest // 16) * 16, 70)
    assert np.array_equal(np.pad(cut, [[0, 0], [0, 70 - cut.shape[1]]]), found.ids[:2])
    assert TextExamples(np.zeros((2, 5), np.int32), np.zeros(2, np.int64)).lengths.tolist() == [
        1,
        1,
    ]


def test_outputs_are_in_the_order_of_the_texts_and_follow_the_model():
    found = examples()
    ids = keras.Input((None,), dtype="int32")
    total = keras.ops.sum(keras.ops.cast(ids, "float32"), axis=1, keepdims=True)
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    predictor = TextPredictor(keras.Model(ids, layer(total)), found, 4, "test")
    expected = found.ids.sum(axis=1, keepdims=True)
    assert np.array_equal(predictor.outputs(), expected)
    layer.set_weights([np.array([[2.0]])])
    assert np.array_equal(predictor.outputs(), 2 * expected)
