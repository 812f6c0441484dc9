"""Random changes to training images, against NumPy where they can be exact."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfxfer.config.schema import AugmentConfig
from tfxfer.data.image.augmentation.changes import (
    augment_batch,
    crop_boxes,
    draw,
    only_flips,
)
from tfxfer.data.image.augmentation.warping import warp, warp_affine

EVERYTHING = AugmentConfig(flip=True, shift=0.2, zoom=0.2, rotation=20.0)
CROPS = AugmentConfig(flip=True, rotation=20.0, crop=0.2)
POLICY = AugmentConfig(flip=True, crop=0.2, policy="trivial")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (7, 9, 9, 3), dtype=np.uint8)


def warped(images, *, flip=False, shift=(0, 0), zoom=1.0, rotation=0.0):
    """Returns the images with the same change to each."""
    number = len(images)
    return warp(
        tf.constant(images),
        flip=tf.fill([number], flip),
        shift=tf.tile(tf.constant([shift], tf.float32), [number, 1]),
        zoom=tf.fill([number], float(zoom)),
        rotation=tf.fill([number], float(rotation)),
    ).numpy()


def test_no_change_is_the_identity(images):
    result = warped(images)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, images)


def test_a_flip_mirrors_left_to_right(images):
    np.testing.assert_array_equal(warped(images, flip=True), np.flip(images, axis=2))


def test_a_flip_mirrors_images_that_are_not_square(images):
    wide = images[:, :6]
    np.testing.assert_array_equal(warped(wide, flip=True), np.flip(wide, axis=2))


def test_a_shift_moves_to_the_right_and_down_and_reflects_at_the_border(images):
    padded = np.pad(images, ((0, 0), (3, 3), (3, 3), (0, 0)), mode="symmetric")
    expected = padded[:, 3 - 1 : 12 - 1, 3 - 2 : 12 - 2]
    np.testing.assert_array_equal(warped(images, shift=(2, 1)), expected)


def test_a_flip_comes_before_the_shift(images):
    expected = np.flip(images, axis=2)[:, :, :-2]
    np.testing.assert_array_equal(warped(images, flip=True, shift=(2, 0))[:, :, 2:], expected)


def test_a_quarter_turn_is_counterclockwise(images):
    result = warped(images, rotation=np.pi / 2)
    np.testing.assert_allclose(result, np.rot90(images, axes=(1, 2)), atol=1e-2)


def test_a_zoom_by_two_doubles_distances_from_the_center(images):
    result = warped(images, zoom=2)
    np.testing.assert_allclose(result[:, ::2, ::2], images[:, 2:7, 2:7], atol=1e-3)


def test_a_setting_of_none_changes_nothing(images):
    draws = draw(7, tf.constant([1, 2]))
    result = augment_batch(tf.constant(images), draws, AugmentConfig())
    assert result.dtype == images.dtype
    np.testing.assert_array_equal(result, images)


def test_about_half_of_the_images_are_flipped_and_the_others_untouched():
    images = np.random.default_rng(0).integers(0, 256, (1000, 4, 4, 3), dtype=np.uint8)
    draws = draw(1000, tf.constant([1, 2]))
    result = augment_batch(tf.constant(images), draws, AugmentConfig(flip=True)).numpy()
    untouched = (result == images).all(axis=(1, 2, 3))
    flipped = (result == np.flip(images, axis=2)).all(axis=(1, 2, 3))
    assert (untouched ^ flipped).all()
    assert 430 < flipped.sum() < 570  # 500 by 4.5 standard deviations


@pytest.mark.parametrize(
    "more", [{"shift": 0.1}, {"zoom": 0.1}, {"rotation": 5.0}, {"crop": 0.5}, {"policy": "rand"},
             {"mixup": 0.2}, {"cutmix": 1.0}, {"flip": False}], ids=str,
)  # fmt: skip
def test_with_anything_else_there_are_not_only_flips(more):
    assert only_flips(AugmentConfig(flip=True, shift=0.0, zoom=0.0, rotation=0.0))
    assert not only_flips(AugmentConfig(**{"flip": True, **more}))


def test_shifts_reach_the_setting_in_whole_pixels_and_no_further():
    position = np.zeros((500, 20, 20, 3), np.uint8)
    position[:, 10, 10] = 255
    draws = draw(500, tf.constant([1, 2]))
    result = augment_batch(tf.constant(position), draws, AugmentConfig(shift=0.15)).numpy()
    assert set(np.unique(result)) == {0.0, 255.0}
    moved = np.argwhere(result[..., 0] == 255)[:, 1:] - 10
    for axis in (0, 1):
        assert set(moved[:, axis]) == {-3, -2, -1, 0, 1, 2, 3}


@pytest.mark.parametrize("config", [EVERYTHING, CROPS, POLICY])
def test_changed_images_stay_within_the_range_of_pixels(images, config):
    result = augment_batch(
        tf.constant(images), draw(7, tf.constant([1, 2]), config), config
    ).numpy()
    assert result.min() >= 0
    assert result.max() <= 255


@pytest.mark.parametrize("config", [EVERYTHING, CROPS, POLICY])
def test_each_image_is_changed_in_its_own_way(config):
    same = np.repeat(np.random.default_rng(0).integers(0, 256, (1, 9, 9, 3)), 7, axis=0)
    result = augment_batch(tf.constant(same), draw(7, tf.constant([1, 2]), config), config).numpy()
    assert len({image.tobytes() for image in result}) == 7


@pytest.mark.parametrize("config", [EVERYTHING, CROPS, POLICY])
def test_an_image_is_changed_the_same_way_in_any_batch(images, config):
    draws = draw(7, tf.constant([1, 2]), config)
    together = augment_batch(tf.constant(images), draws, config).numpy()
    for index in range(7):
        alone = augment_batch(images[index : index + 1], draws[index : index + 1], config)
        np.testing.assert_allclose(alone[0], together[index], atol=1e-3)


@pytest.mark.parametrize("config", [EVERYTHING, AugmentConfig(flip=True, shift=0.2), CROPS, POLICY])
def test_changes_inside_tf_data_are_those_made_eagerly(images, config):
    draws = draw(7, tf.constant([1, 2]), config)
    dataset = tf.data.Dataset.from_tensors((images, draws))
    (in_pipeline,) = dataset.map(lambda batch, numbers: augment_batch(batch, numbers, config))
    eagerly = augment_batch(tf.constant(images), draws, config)
    np.testing.assert_allclose(in_pipeline, eagerly, atol=1e-3)


@pytest.fixture
def global_seed():
    """Sets TensorFlow's own seed, as `keras.utils.set_random_seed` does."""
    tf.random.set_seed(5)
    yield
    tf.compat.v1.set_random_seed(None)


def test_draws_depend_on_their_seed_alone(request):
    first = draw(7, tf.constant([1, 2])).numpy()
    request.getfixturevalue("global_seed")
    np.testing.assert_array_equal(draw(7, tf.constant([1, 2])), first)
    assert not np.isin(draw(7, tf.constant([1, 3])), first).any()
    assert not np.isin(draw(7, tf.constant([2, 2])), first).any()


def test_the_first_numbers_of_an_image_are_those_that_runs_without_crops_have():
    alone = tf.random.stateless_uniform((7, 5), [1, 2], alg="philox")
    np.testing.assert_array_equal(draw(7, tf.constant([1, 2]), CROPS)[:, :5], alone)


def centered(image):
    """Returns x and y of the pixels from the center, and the center."""
    height, width, _ = image.shape
    center_y, center_x = (height - 1) / 2, (width - 1) / 2
    y, x = np.mgrid[:height, :width].astype(np.float64)
    return x - center_x, y - center_y, center_x, center_y


def by_hand(image, flip, shift, zoom, rotation):
    """Returns what `warp` makes of an image, in NumPy and in float64."""
    x, y, center_x, center_y = centered(image)
    x, y = (x - shift[0]) / zoom, (y - shift[1]) / zoom
    x, y = np.cos(rotation) * x - np.sin(rotation) * y, np.sin(rotation) * x + np.cos(rotation) * y
    return bilinear(image, center_x + (-x if flip else x), center_y + y)


def bilinear(image, x, y):
    """Returns what stands at some points of an image that is mirrored at its border."""
    height, width, _ = image.shape
    border = 40 * max(height, width)  # further than anything comes from
    padded = np.pad(image.astype(np.float64), ((border,) * 2, (border,) * 2, (0, 0)), "symmetric")
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    found = np.zeros(image.shape)
    for down, share_y in ((0, top + 1 - y), (1, y - top)):
        for right, share_x in ((0, left + 1 - x), (1, x - left)):
            pixels = padded[top + down + border, left + right + border]
            found += pixels * (share_y * share_x)[..., None]
    return found


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_warp_is_bilinear_and_mirrored_at_the_border_however_far_it_reaches(dtype, turned):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (40, 12, 9, 3)).astype(dtype)
    flip = generator.random(40) < 0.5
    shift = generator.integers(-20, 21, (40, 2)).astype(np.float32)
    zoom = np.exp(generator.uniform(np.log(0.1), np.log(3), 40)).astype(np.float32)
    rotation = generator.uniform(-np.pi, np.pi, 40).astype(np.float32) if turned else np.zeros(40)
    found = warp(
        tf.constant(images),
        flip=tf.constant(flip),
        shift=tf.constant(shift),
        zoom=tf.constant(zoom),
        rotation=tf.constant(rotation) if turned else None,
    )
    assert found.dtype == tf.float32
    expected = [by_hand(*one) for one in zip(images, flip, shift, zoom, rotation, strict=True)]
    np.testing.assert_allclose(found, expected, atol=0.05)


@pytest.mark.parametrize("zoom", [0.1, 0.9])  # within the picture's reach, and beyond it
def test_changes_without_rotation_are_those_of_a_warp(images, zoom):
    draws = draw(7, tf.constant([1, 2]))
    config = AugmentConfig(flip=True, shift=0.1, zoom=zoom, rotation=0.0)
    nearly = AugmentConfig(flip=True, shift=0.1, zoom=zoom, rotation=1e-6)
    found = augment_batch(tf.constant(images), draws, config)
    np.testing.assert_allclose(found, augment_batch(tf.constant(images), draws, nearly), atol=0.2)


def test_batches_of_all_sizes_and_pipelines_share_one_graph(images):
    draws = draw(7, tf.constant([1, 2]))
    augment_batch(images, draws, EVERYTHING)
    before = warp.experimental_get_tracing_count()
    for number in (7, 3, 1):
        dataset = tf.data.Dataset.from_tensor_slices((images, draws)).batch(number)
        for _ in dataset.map(lambda batch, numbers: augment_batch(batch, numbers, EVERYTHING)):
            pass
    assert warp.experimental_get_tracing_count() - before <= 1


@pytest.mark.parametrize("turns", [False, True])
def test_any_affine_transform_is_bilinear_and_mirrored_at_the_border(turns):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (40, 12, 9, 3), dtype=np.uint8)
    matrices = generator.uniform(-2, 2, (40, 2, 2)).astype(np.float32)
    matrices *= 1 if turns else np.eye(2, dtype=np.float32)
    offsets = generator.uniform(-20, 20, (40, 2)).astype(np.float32)
    found = warp_affine(images, tf.constant(matrices), tf.constant(offsets), turns=turns)
    assert found.dtype == tf.float32
    for image, matrix, offset, ours in zip(images, matrices, offsets, found, strict=True):
        x, y, center_x, center_y = centered(image)
        x, y = np.einsum("ij,jhw->ihw", matrix, np.stack([x, y])) + offset[:, None, None]
        np.testing.assert_allclose(ours, bilinear(image, center_x + x, center_y + y), atol=0.05)


def test_crops_have_the_area_and_the_aspect_ratio_asked_for_and_lie_within_the_image():
    shares, centers = (
        found.numpy() for found in crop_boxes(draw(20_000, tf.constant([1, 2]), CROPS)[:, 5:9], 0.2)
    )
    area, ratio = shares.prod(axis=1), shares[:, 0] / shares[:, 1]
    # Even between 0.2 and 1: the bounds below are four standard deviations.
    parts, _ = np.histogram(area, 8, (0.2 - 1e-6, 1 + 1e-6))
    assert parts.sum() == 20_000
    assert abs(parts - 2_500).max() < 190
    assert ratio.min() > 3 / 4 - 1e-5
    assert ratio.max() < 4 / 3 + 1e-5
    # Where any ratio has room its logarithm is even, too.
    small = np.log(ratio[area < 0.75])
    parts, _ = np.histogram(small, 4, (-np.log(4 / 3) - 1e-5, np.log(4 / 3) + 1e-5))
    assert abs(parts - len(small) / 4).max() < 4 * np.sqrt(len(small) * 3 / 16)
    assert (centers - shares / 2).min() > -1e-6
    assert (centers + shares / 2).max() < 1 + 1e-6
    free = ((centers - shares / 2) / (1 - shares))[area < 0.9]
    parts = np.histogram2d(*free.T, 2, ((0, 1), (0, 1)))[0]
    assert abs(parts - len(free) / 4).max() < 4 * np.sqrt(len(free) * 3 / 16)


def test_a_crop_is_what_pillow_resizes_of_the_image():
    image = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    draws = draw(30, tf.constant([1, 2]), CROPS)
    found = augment_batch(np.repeat(image[None], 30, axis=0), draws, AugmentConfig(crop=0.1))
    shares, centers = (part.numpy() for part in crop_boxes(draws[:, 5:9], 0.1))
    for ours, share, center in zip(found, shares, centers, strict=True):
        box = 24 * np.concatenate([center - share / 2, center + share / 2]).clip(0, 1)
        theirs = Image.fromarray(image).resize((24, 24), Image.Resampling.BILINEAR, box=tuple(box))
        # At its edges a crop sees half a pixel further than its box, which Pillow does not.
        inside = (slice(3, -3), slice(3, -3))
        np.testing.assert_allclose(ours[inside], np.asarray(theirs)[inside], atol=1)


def test_a_crop_may_be_flipped_and_turned_in_the_same_pass(images):
    draws = draw(7, tf.constant([1, 2]), CROPS).numpy()
    draws[:, :5] = [[0.9, 0, 0, 0, 0.5]]
    mirrored = draws.copy()
    mirrored[:, 0] = 0.1
    plain = augment_batch(images, draws, CROPS)
    flipped = augment_batch(images, mirrored, CROPS)
    np.testing.assert_allclose(flipped, np.flip(plain, axis=2), atol=1e-2)
    turned = draws.copy()
    turned[:, 4] = 1  # 90 degrees counterclockwise
    found = augment_batch(images, turned, AugmentConfig(crop=0.2, rotation=90.0))
    np.testing.assert_allclose(found, np.rot90(plain, axes=(1, 2)), atol=1e-2)
