import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tfxfer.config.schema import AugmentConfig, FitConfig
from tfxfer.data.batches import feature_batches, training_batches
from tfxfer.data.epochs.dealing import Dealt
from tfxfer.data.epochs.shuffling import ORDER, Epochs, epoch_seed
from tfxfer.data.image.dataset import Images
from tfxfer.data.opening import open_source
from tfxfer.system.processes.shares import Share, padded

SHARES = [Share(number, 3, 6) for number in range(3)]
AUGMENT = AugmentConfig(flip=True, shift=0.2, rotation=20.0)


def joined(shares):
    """Returns the batches that several processes read, put together."""
    return [
        tf.nest.map_structure(lambda *parts: np.concatenate(parts), *parts)
        for parts in zip(*shares, strict=True)
    ]


def assert_equal(found, expected):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, ours, theirs)


def test_a_share_has_its_part_of_each_batch_and_of_the_padding():
    dealt = Dealt.of(7, 4, Share(1, 2, 2))  # batches of 4 and 3 examples
    np.testing.assert_array_equal(dealt.places, [2, 3, 6, 4])
    np.testing.assert_array_equal(dealt.is_real, [1, 1, 1, 0])
    np.testing.assert_allclose(dealt.scale, [1, 1, 4 / 3, 4 / 3])
    assert dealt.batch_size == 2


@pytest.mark.parametrize("start", [(0, 0), (0, 3), (1, 2)])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_shares_of_features_are_together_the_padded_batches(start, weighted):
    features = np.arange(20.0).reshape(10, 2)
    places = {"seed": 3, "epochs": 2, "start": start}
    if weighted:
        places["weights"] = np.linspace(0.5, 1.5, 10).astype("float32")
    labels = np.arange(10)
    whole = feature_batches(features, labels, 3, **places)
    shares = [feature_batches(features, labels, 3, **places, share=one) for one in SHARES]
    assert [len(one) for one in shares] == [len(whole)] * 3
    assert_equal(joined(shares), [padded(batch, 6) for batch in whole])


@pytest.mark.parametrize(
    ("memory_bytes", "augment"),
    [
        pytest.param(2e9, AUGMENT, id="kept"),
        pytest.param(0, AUGMENT, id="read", marks=pytest.mark.slow),
        pytest.param(2e9, AugmentConfig(mixup=0.2, flip=True), id="mixed", marks=pytest.mark.slow),
    ],
)
def test_the_shares_of_images_are_together_the_padded_batches(pictures, memory_bytes, augment):
    source = open_source(FitConfig(data=str(pictures)))
    images = Images(source.splits["train"], 8, memory_bytes, by_content=True)
    images = images.weighted(np.linspace(0.5, 1.5, len(images)).astype("float32"))
    places = {"seed": 3, "epochs": 2, "start": (0, 1), "augment": augment, "num_classes": 3}
    whole = training_batches(images, 8, **places)
    shares = [training_batches(images, 8, **places, share=one) for one in SHARES]
    assert_equal(joined(shares), [padded(batch, 6) for batch in whole])


def test_a_process_reads_the_images_of_its_share_alone(pictures, tmp_path):
    data = shutil.copytree(pictures, tmp_path / "data")
    images = Images(open_source(FitConfig(data=str(data))).splits["train"], 8, 0)
    places = {"seed": 0, "epochs": 1, "share": Share(0, 3, 3)}
    expected = [len(labels) for _, labels, _ in training_batches(images, 8, **places)]
    assert expected == [3, 3, 2]  # of batches of 8, 8 and 5
    epochs = Epochs(len(images), 8, 1, (0, 0), places["share"])
    own = set(epochs.shuffled(epoch_seed(0, ORDER, tf.constant(0)), 0).as_numpy_iterator())
    for number in set(range(len(images))) - own:
        pathlib.Path(images.describe(number)).unlink()
    found = [len(labels) for _, labels, _ in training_batches(images, 8, **places)]
    assert found == expected
