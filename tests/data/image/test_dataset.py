"""Batches: every example where and when it is due, whatever is kept in memory."""

import dataclasses
import math
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from noise_splits import (
    array_split,
    collected,
    corrupt_split,
    encoded_split,
    noise,
    numbered,
    which,
)

from tfxfer.config.schema import AugmentConfig
from tfxfer.data.batches import evaluation_batches, training_batches
from tfxfer.data.cache import Cache
from tfxfer.data.image.augmentation.changes import NO_CHANGES, augment_batch, draw
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.readability import readable
from tfxfer.data.source import Split, in_any_order
from tfxfer.errors import DataError
from tfxfer.system.digests import ids_of

AUGMENT = AugmentConfig(flip=True, shift=0.2, zoom=0.1, rotation=10.0)


# What is kept, in memory or on the disk; what is read by its index; what passes through a buffer.
MAKERS = {
    "kept, in order": lambda images, _: Images(encoded_split(images), 8),
    "kept, in any order": lambda images, _: Images(array_split(images), 8),
    "kept on the disk": lambda images, cache: Images(encoded_split(images), 8, 0, cache),
    "streamed, in order": lambda images, _: Images(encoded_split(images), 8, memory_bytes=0),
    "streamed, in any order": lambda images, _: Images(array_split(images), 8, memory_bytes=0),
}


@pytest.fixture(scope="module", params=MAKERS)
def make_anew(request, tmp_path_factory):
    def maker(images):
        cache = Cache(tmp_path_factory.mktemp("cache"), 10**6)
        return MAKERS[request.param](images, cache)

    return maker


@pytest.fixture(scope="module")
def make(make_anew):
    """The same, but images that were made are had again: tests only read them."""
    made: dict[bytes, Images] = {}

    def maker(images):
        key = images.tobytes()
        if key not in made:
            made[key] = make_anew(images)
        return made[key]

    return maker


def four_epochs_changed(images):
    return collected(training_batches(images, 3, seed=3, epochs=4, augment=AUGMENT))


@pytest.fixture(scope="module")
def changed_batches(make):
    """Four epochs of seven images in batches of three, which several tests look at."""
    return four_epochs_changed(make(noise(7)))


def check_form(batches, dtype, number):
    """Checks that batches are images and int32 labels of known shape, and their number."""
    spec = (tf.TensorSpec((None, 8, 8, 3), dtype), tf.TensorSpec((None,), tf.int32))
    assert batches.element_spec == spec
    assert len(batches) == number
    return batches


def test_evaluation_has_every_example_once_in_order(make):
    pixels = noise(7)
    evaluation = check_form(evaluation_batches(make(pixels), 3), tf.uint8, 3)
    for _ in range(2):
        batches = collected(evaluation)
        assert [len(labels) for _, labels in batches] == [3, 3, 1]
        assert which(pixels, np.concatenate([shown for shown, _ in batches])) == list(range(7))
        assert np.concatenate([labels for _, labels in batches]).tolist() == [0, 1, 2, 3, 4, 0, 1]


def test_no_dataset_is_tuned_as_closing_it_might_wait_for_that(make):
    images = make(noise(7))
    datasets = {
        "training": training_batches(images, 3, seed=0, epochs=1, augment=AUGMENT),
        "evaluation": evaluation_batches(images, 3),
        "streamed": images.streamed().batch(3),
        "readable": readable(images.split, images.prepare).batch(3),
        "sample": images.split.sample(2),
    }
    assert [
        name for name, it in datasets.items() if it.options().autotune.enabled is not False
    ] == []


def test_an_epoch_has_every_example_once_with_its_label(make):
    pixels = noise(7)
    training = training_batches(make(pixels), 3, seed=0, epochs=4)
    batches = collected(check_form(training, tf.uint8, 12))
    assert [len(labels) for _, labels in batches] == [3, 3, 1] * 4
    for epoch in range(4):
        part = batches[3 * epoch : 3 * epoch + 3]
        order = which(pixels, np.concatenate([shown for shown, _ in part]))
        assert sorted(order) == list(range(7))
        assert np.concatenate([labels for _, labels in part]).tolist() == [i % 5 for i in order]


def test_weights_of_the_split_come_with_the_batches_of_training_alone(make):
    pixels, weights = noise(7), np.linspace(0, 2, 7, dtype=np.float32)
    images = make(pixels)
    weighted = images.weighted(weights)
    plain, changed = (
        training_batches(weighted, 3, seed=0, epochs=2, augment=augment)
        for augment in (NO_CHANGES, AUGMENT)
    )
    for batches in (plain, changed):
        assert batches.element_spec[2] == tf.TensorSpec((None,), tf.float32)
    for (shown, labels, its_weights), (_, same_labels, same_weights) in zip(
        plain.as_numpy_iterator(), changed.as_numpy_iterator(), strict=True
    ):
        order = which(pixels, shown)
        assert labels.tolist() == same_labels.tolist() == [i % 5 for i in order]
        np.testing.assert_array_equal(its_weights, weights[order])
        np.testing.assert_array_equal(same_weights, weights[order])
    assert len(evaluation_batches(weighted, 3).element_spec) == 2


def orders(images: Images, pixels: np.ndarray, **settings) -> list[list[int]]:
    """Returns the order of each epoch."""
    batches = training_batches(images, len(pixels), **settings)
    return [which(pixels, shown) for shown, _ in batches.as_numpy_iterator()]


def test_after_the_last_epoch_there_are_no_batches():
    images = Images(array_split(noise(7)), 8)
    assert len(training_batches(images, 7, seed=0, epochs=4, start=(4, 0))) == 0


# What is shuffled as a whole, and what with a buffer; see `test_the_order_is_the_same_wherever`.
@pytest.fixture(scope="module", params=["kept, in order", "streamed, in order"])
def make_shuffled(request):
    return lambda images: MAKERS[request.param](images, None)


def test_epochs_and_seeds_have_orders_of_their_own(make_shuffled):
    pixels = noise(40)
    images = make_shuffled(pixels)
    several = orders(images, pixels, seed=0, epochs=3) + orders(images, pixels, seed=1, epochs=3)
    assert len({tuple(order) for order in several}) == 6
    assert list(range(40)) not in several


def test_the_order_of_an_epoch_is_one_of_all_permutations(make_shuffled):
    pixels = noise(3)
    seen = {tuple(order) for order in orders(make_shuffled(pixels), pixels, seed=0, epochs=60)}
    assert len(seen) == 6  # misses one with a chance of 1 in 9,000


@pytest.fixture
def global_seed():
    """Sets the seeds of Python, NumPy, TensorFlow and Keras, as a script might."""
    keras.utils.set_random_seed(5)
    yield
    tf.compat.v1.set_random_seed(None)


def test_batches_depend_on_the_seed_alone(make_anew, changed_batches, request):
    request.getfixturevalue("global_seed")
    again = four_epochs_changed(make_anew(noise(7)))
    for (shown, labels), (shown_again, labels_again) in zip(changed_batches, again, strict=True):
        np.testing.assert_allclose(shown, shown_again, atol=1e-3)
        np.testing.assert_array_equal(labels, labels_again)


def test_a_later_first_epoch_continues_as_if_never_interrupted(make, changed_batches):
    images = make(noise(7))
    rest = training_batches(images, 3, seed=3, epochs=4, start=(2, 0), augment=AUGMENT)
    check_form(rest, tf.float32, 6)
    for (shown, labels), (expected, expected_labels) in zip(
        collected(rest), changed_batches[6:], strict=True
    ):
        np.testing.assert_allclose(shown, expected, atol=1e-3)
        np.testing.assert_array_equal(labels, expected_labels)


SCRIPT = """
import numpy as np, tensorflow as tf
from tfxfer.config.schema import AugmentConfig, FitConfig
from tfxfer.data.batches import training_batches
from tfxfer.data.image.dataset import Images
from tfxfer.data.source import in_any_order
split = in_any_order(np.arange(7), lambda i: tf.fill((8, 8, 3), tf.cast(i, tf.uint8)), str, None)
batches = training_batches(Images(split, 8), 3, seed=3, epochs=2, augment=AugmentConfig(flip=True))
print([int(label) for _, labels in batches for label in labels])
"""


@pytest.mark.slow
def test_a_new_process_repeats_the_order():
    split = in_any_order(
        np.arange(7), lambda i: tf.fill((8, 8, 3), tf.cast(i, tf.uint8)), str, None
    )
    batches = training_batches(Images(split, 8), 3, seed=3, epochs=2)
    here = [int(label) for _, labels in batches for label in labels]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(here)


def test_changes_depend_on_seed_epoch_and_index_not_on_the_batch(make, changed_batches):
    whole = training_batches(make(noise(7)), 7, seed=3, epochs=2, augment=AUGMENT)
    shown = np.concatenate([shown for shown, _ in changed_batches])
    first, second = shown[:7], shown[7:14]
    for (ours, _), other in zip(collected(whole), (first, second), strict=True):
        np.testing.assert_allclose(ours, other, atol=1e-3)
    assert not any(np.allclose(image, other) for image in first for other in second)


def test_changes_are_those_of_augment():
    pixels = noise(7)
    config = AugmentConfig(flip=True)
    batches = training_batches(Images(array_split(pixels), 8), 7, seed=3, epochs=1, augment=config)
    (shown, labels) = next(batches.as_numpy_iterator())
    (plain, labels_again) = next(
        training_batches(Images(array_split(pixels), 8), 7, seed=3, epochs=1).as_numpy_iterator()
    )
    np.testing.assert_array_equal(labels, labels_again)
    flipped = np.flip(plain, axis=2)
    is_flipped = [np.array_equal(image, other) for image, other in zip(shown, flipped, strict=True)]
    untouched = [np.array_equal(image, other) for image, other in zip(shown, plain, strict=True)]
    assert np.logical_xor(is_flipped, untouched).all()


def test_images_that_fit_are_decoded_once_for_all_passes_and_epochs():
    reads: list[int] = []
    images = Images(encoded_split(noise(7), reads), 8)
    collected(evaluation_batches(images, 3))
    collected(training_batches(images, 3, seed=0, epochs=3))
    collected(evaluation_batches(images, 2))
    assert sorted(reads) == list(range(7))


def test_a_pass_of_keras_keeps_the_images_even_if_the_last_batch_is_full():
    reads: list[int] = []
    images = Images(encoded_split(noise(6), reads), 8)
    model = keras.Sequential([keras.layers.Flatten()])
    for _ in range(3):
        assert model.predict(evaluation_batches(images, 3), verbose=0).shape == (6, 192)
    assert sorted(reads) == list(range(6))


def test_a_first_look_at_one_training_batch_already_keeps_all_images():
    reads: list[int] = []
    images = Images(encoded_split(noise(7), reads), 8)
    next(iter(training_batches(images, 3, seed=0, epochs=3)))
    collected(training_batches(images, 3, seed=0, epochs=3))
    assert sorted(reads) == list(range(7))


def test_images_that_do_not_fit_into_memory_are_decoded_once_for_the_disk(tmp_path):
    pixels, reads, cache = noise(7), [], Cache(tmp_path, 10**6)
    for _ in range(2):  # another run finds them
        images = Images(encoded_split(pixels, reads), 8, 7 * 8 * 8 * 3 - 1, cache)
        shown = np.concatenate([shown for shown, _ in evaluation_batches(images, 3)])
        assert which(pixels, shown) == list(range(7))
        collected(training_batches(images, 3, seed=0, epochs=2))
    assert sorted(reads) == list(range(7))
    other = Images(encoded_split(pixels[::-1], reads), 8, 0, cache)
    assert which(pixels, np.array(other.kept)) == list(range(6, -1, -1))


def test_the_order_is_the_same_wherever_the_images_are_kept(tmp_path):
    pixels = noise(40)
    places = [place for place in MAKERS if place != "streamed, in order"]  # it has a buffer
    cache = Cache(tmp_path, 10**6)
    first, *others = [orders(MAKERS[x](pixels, cache), pixels, seed=4, epochs=2) for x in places]
    assert all(other == first for other in others)


def test_images_that_do_not_fit_are_decoded_for_each_pass():
    reads: list[int] = []
    images = Images(encoded_split(noise(7), reads), 8, memory_bytes=7 * 8 * 8 * 3 - 1)
    assert images.kept is None
    collected(evaluation_batches(images, 3))
    collected(training_batches(images, 3, seed=0, epochs=2))
    assert sorted(reads) == sorted(3 * list(range(7)))


def test_images_are_resized_whether_encoded_or_not():
    pixels = noise(7, side=20)
    for split in (encoded_split(pixels), array_split(pixels)):
        shown = np.concatenate([shown for shown, _ in evaluation_batches(Images(split, 10), 3)])
        assert shown.shape == (7, 10, 10, 3)
        assert shown.dtype == np.uint8
        exact = tf.image.resize(pixels, (10, 10), antialias=True)
        assert np.abs(shown.astype(np.float32) - exact).max() <= 0.5 + 1e-3


def test_encoded_images_can_be_had_for_a_sample():
    pixels = noise(7)
    for split in (encoded_split(pixels), array_split(pixels)):
        sample = Images(split, 4).encoded(3)
        decoded = [tf.io.decode_png(content).numpy().tobytes() for content in sample]
        expected = [0, 1, 2] if split.read_image is None else [0, 3, 6]
        assert decoded == [pixels[index].tobytes() for index in expected]
    assert len(Images(array_split(pixels), 4).encoded(100)) == 7


def test_keras_trains_on_the_batches():
    images, epochs = Images(array_split(noise(7)), 8), 2
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(5)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    history = model.fit(
        training_batches(images, 3, seed=0, epochs=epochs, augment=AUGMENT),
        steps_per_epoch=3,
        epochs=epochs,
        shuffle=False,  # the batches are in random order already, and Keras warns of it
        validation_data=evaluation_batches(images, 3),
        verbose=0,
    )
    assert len(history.history["val_loss"]) == epochs
    assert model.optimizer.iterations == 3 * epochs


def test_draws_of_the_pipeline_have_a_row_for_every_example():
    draws = draw(7, tf.constant([0, 1]))
    assert draws.shape == (7, 5)
    assert math.isclose(float(tf.reduce_mean(draw(1000, tf.constant([0, 1])))), 0.5, abs_tol=0.02)
    assert augment_batch(noise(7), draws, AUGMENT).shape == (7, 8, 8, 3)


def in_another_order(split: Split, images: np.ndarray) -> Split:
    """Returns the same examples in another order."""
    order = np.random.default_rng(5).permutation(len(images))
    other = encoded_split(images[order]) if split.read_image is None else array_split(images[order])
    return dataclasses.replace(other, labels=split.labels[order])


@pytest.mark.parametrize("make_split", [encoded_split, array_split])
def test_images_numbered_by_content_train_alike_whatever_their_order(make_split):
    pixels = noise(23)
    split = make_split(pixels)
    other = in_another_order(split, pixels)
    for augment in (NO_CHANGES, AUGMENT):
        settings = {"seed": 3, "epochs": 2, "augment": augment}
        ours, theirs = (
            collected(training_batches(Images(one, 8, by_content=True), 5, **settings))
            for one in (split, other)
        )
        for (images, labels), (same_images, same_labels) in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(images, same_images)
            np.testing.assert_array_equal(labels, same_labels)


@pytest.mark.parametrize("make_split", [encoded_split, array_split])
@pytest.mark.parametrize("memory_bytes", [0, 10**6])
def test_some_of_the_images_are_evaluated_by_their_numbers(make_split, memory_bytes):
    pixels = noise(11)
    images = Images(make_split(pixels), 8, memory_bytes, by_content=True)
    everything = collected(evaluation_batches(images, 11))[0]
    wanted = np.array([1, 4, 5, 9])
    some = collected(evaluation_batches(images, 3, wanted))
    assert [len(labels) for _, labels in some] == [3, 1]
    np.testing.assert_array_equal(
        np.concatenate([shown for shown, _ in some]), everything[0][wanted]
    )
    np.testing.assert_array_equal(images.labels[wanted], np.concatenate([x for _, x in some]))
    assert [digest.tobytes() for digest in images.digests] == [
        one.tobytes() for one in ids_of((picture.tobytes(),) for picture in everything[0])
    ]


@pytest.mark.parametrize("make_split", [encoded_split, array_split])
@pytest.mark.parametrize("memory_bytes", [0, 10**6])
def test_images_are_named_by_their_numbers(make_split, memory_bytes):
    pixels = noise(11)
    split = dataclasses.replace(make_split(pixels), describe=lambda index: f"image {index}")
    images = Images(split, 8, memory_bytes, by_content=True)
    ((shown, _),) = collected(evaluation_batches(images, 11))
    for number, picture in enumerate(shown):
        index = int(images.describe(number).removeprefix("image "))
        np.testing.assert_array_equal(picture, pixels[index])


@pytest.fixture
def corrupt(tmp_path):
    """A split of seven files: one corrupt, one empty, one missing."""
    return corrupt_split(tmp_path)


def test_images_that_are_kept_without_having_been_looked_at_are_never_replaced(corrupt):
    split = numbered(corrupt)
    images = Images(split, 8)
    for _ in range(2):
        with pytest.raises(DataError, match="Cannot read 3 images"):
            images.kept  # noqa: B018
    assert images.unreadable().tolist() == [1, 4, 6]
    some = images.without(np.array([0, 4]))
    assert some.unreadable().tolist() == [0, 4]
    with pytest.raises(DataError, match="Cannot read 2 images"):
        some.kept  # noqa: B018
