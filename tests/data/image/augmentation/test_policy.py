"""Colors against Pillow, and the matrices of what moves pixels against the paper's definitions."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from tfxfer.config.schema import AugmentConfig
from tfxfer.data.image.augmentation.changes import augment_batch, draw
from tfxfer.data.image.augmentation.policy import (
    OPERATIONS,
    Choices,
    chosen,
    movements,
    policy_draws,
    recolored,
)
from tfxfer.data.image.augmentation.warping import warp_affine

LEVELS = np.linspace(0, 1, 31)


@pytest.fixture(scope="module")
def images():
    """Noise, a dark photo-like slope, two colors and one color: shape (4, 33, 40, 3)."""
    noise = np.random.default_rng(0).integers(0, 256, (33, 40, 3))
    slope = 20 + np.add.outer(np.arange(33), 2 * np.arange(40))[..., None] * [1, 0.7, 0.3]
    two = np.where(np.arange(40)[None, :, None] < 15, [200, 30, 90], [201, 120, 90])
    one = np.full((33, 40, 3), [7, 130, 255])
    two = np.broadcast_to(two, noise.shape)
    return np.stack([noise, slope, two, one]).astype(np.uint8)


def of_all(name, strength, sign=1, number=1):
    return Choices(
        tf.fill([number], OPERATIONS.index(name)),
        tf.fill([number], np.float32(strength)),
        tf.fill([number], np.float32(sign)),
    )


def pillow(image, name, strength, sign):
    """Returns what Pillow makes of an image."""
    image = Image.fromarray(image)
    if name in ("brightness", "color", "contrast", "sharpness"):
        enhance = getattr(ImageEnhance, name.capitalize())
        return np.asarray(enhance(image).enhance(1 + sign * 0.99 * strength))
    if name == "posterize":
        return np.asarray(ImageOps.posterize(image, 8 - round(6 * strength)))
    if name == "solarize":
        return np.asarray(ImageOps.solarize(image, threshold=255 * (1 - strength)))
    return np.asarray(getattr(ImageOps, name)(image))


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("brightness", 1),
        ("color", 2),
        ("contrast", 2),
        ("sharpness", 2),
        ("posterize", 0),
        ("solarize", 0),
        ("autocontrast", 1),
        ("equalize", 0),
    ],
)
def test_colors_are_those_of_pillow(images, name, most):
    for strength in LEVELS[::6]:
        for sign in (-1, 1):
            choices = of_all(name, strength, sign, len(images))
            found = recolored(tf.constant(images, tf.float32), choices).numpy()
            expected = np.stack([pillow(image, name, strength, sign) for image in images])
            np.testing.assert_allclose(found, expected, atol=most + 1e-3)


def test_each_image_of_a_batch_gets_its_own_change(images):
    batch = np.repeat(images[:1], len(OPERATIONS), axis=0)
    order = np.random.default_rng(0).permutation(len(OPERATIONS)).astype(np.int32)
    strength, sign = tf.fill([len(order)], 0.8), tf.fill([len(order)], -1.0)
    found = recolored(
        tf.constant(batch, tf.float32), Choices(tf.constant(order), strength, sign)
    ).numpy()
    for image, number in zip(found, order, strict=True):
        name = OPERATIONS[number]
        moves = name.split()[0] in ("identity", "shear", "translate", "rotate")
        expected = images[0] if moves else pillow(images[0], name, 0.8, -1)
        np.testing.assert_allclose(image, expected, atol=0 if moves else 2)


def test_an_empty_batch_stays_empty():
    found = recolored(tf.zeros((0, 8, 8, 3)), of_all("equalize", 1, number=0))
    assert found.shape == (0, 8, 8, 3)


def test_movements_are_those_of_the_paper_about_the_center():
    size = tf.constant([70.0, 140.0])
    cosine, sine = np.cos(np.radians(67.5)), np.sin(np.radians(67.5))
    identity = np.eye(2)
    for name, matrix, offset in [
        ("identity", identity, (0, 0)),
        ("equalize", identity, (0, 0)),
        ("shear x", [[1, 0.495], [0, 1]], (0, 0)),
        ("shear y", [[1, 0], [0.495, 1]], (0, 0)),
        ("translate x", identity, (5, 0)),
        ("translate y", identity, (0, 10)),
        ("rotate", [[cosine, -sine], [sine, cosine]], (0, 0)),
    ]:
        found, moved = movements(of_all(name, 0.5), size)
        np.testing.assert_allclose(found[0], matrix, atol=1e-6)
        np.testing.assert_allclose(moved[0], offset)
        back, moved_back = movements(of_all(name, 0.5, -1), size)
        np.testing.assert_allclose(moved_back, -moved)
        turned = name == "rotate"
        expected = np.transpose(matrix) if turned else 2 * identity - np.asarray(matrix)
        np.testing.assert_allclose(back[0], expected, atol=1e-6)


def test_operations_strengths_and_signs_are_even():
    choices = Choices.of(draw(43_400, tf.constant([1, 2]), AugmentConfig(policy="trivial"))[:, 9:])
    for values, kinds in [
        (choices.operation.numpy(), 14),
        (np.round(choices.strength.numpy() * 30).astype(int), 31),
        ((choices.sign.numpy() > 0).astype(int), 2),
    ]:
        counts = np.bincount(values, minlength=kinds)
        assert len(counts) == kinds
        share = 1 / kinds
        assert abs(counts - 43_400 * share).max() < 4.5 * np.sqrt(43_400 * share * (1 - share))
    np.testing.assert_allclose(np.unique(choices.strength), LEVELS, atol=1e-6)
    assert abs(np.corrcoef(choices.operation, choices.strength)[0, 1]) < 0.02


def test_the_last_choice_is_reached_and_none_beyond():
    largest = np.nextafter(np.float32(1), np.float32(0))
    choices = Choices.of(tf.constant([[0, 0, 0], [largest, largest, largest]]))
    assert choices.operation.numpy().tolist() == [0, 13]
    assert choices.strength.numpy().tolist() == [0, 1]
    assert choices.sign.numpy().tolist() == [-1, 1]


def of_operation(name, strength):
    """Returns numbers that an image without any other change is drawn for."""
    row = np.full(12, 0.5, np.float32)
    row[5] = 0  # the whole area
    row[9:] = [(OPERATIONS.index(name) + 0.5) / 14, (31 * strength + 0.5) / 32, 0.9]
    return row


def test_the_operation_follows_the_crop_and_the_flip_in_one_pass(images):
    square = images[:1, :33, :33]
    config = AugmentConfig(flip=True, crop=0.5, policy="trivial")
    draws = np.stack([of_operation("identity", 0)])
    draws[:, 0] = 0.1  # flipped
    draws[:, 5] = 0.8
    plain = augment_batch(square, draws, config).numpy()
    for name, change in [
        ("solarize", lambda view: np.where(view < 0, view, 255 - view)),
        # A view that is moved to the left has its right part from further right.
        ("translate x", lambda view: np.roll(view, -5, axis=2)),
        ("translate y", lambda view: np.roll(view, -5, axis=1)),
    ]:
        draws[0, 9:] = of_operation(name, 1)[9:]
        found = augment_batch(square, draws, config).numpy()
        inside = np.s_[:, :28, :28]
        np.testing.assert_allclose(found[inside], change(plain)[inside], atol=0.05)


@pytest.mark.parametrize("crop", [1.0, 0.3])
def test_nothing_else_is_blurred_or_changed(images, crop):
    config = AugmentConfig(flip=False, crop=crop, policy="trivial")
    draws = np.repeat(of_operation("identity", 0)[None], len(images), axis=0)
    np.testing.assert_array_equal(augment_batch(images, draws, config), images)


def test_without_a_policy_all_is_as_before(images):
    settings = {"flip": True, "shift": 0.1, "zoom": 0.1, "rotation": 10.0}
    config = AugmentConfig(policy="trivial", **settings)
    draws = draw(4, tf.constant([1, 2]), config).numpy()
    draws[:, 9] = 0  # identity
    found = augment_batch(images, draws, config)
    np.testing.assert_allclose(
        found, augment_batch(images, draws, AugmentConfig(**settings)), atol=0.05
    )


def test_rand_augment_does_two_operations_at_the_strengths_of_torchvision():
    """Magnitude 9 of 31 bins; `_augmentation_space` of torchvision.transforms.RandAugment."""
    assert policy_draws("rand") == 6
    draws = draw(14_000, tf.constant([1, 2]), AugmentConfig(policy="rand"))
    assert draws.shape == (14_000, 15)
    first, second = chosen(draws[:, 9:], "rand")
    assert abs(np.corrcoef(first.operation, second.operation)[0, 1]) < 0.04
    for choices in (first, second):
        counts = np.bincount(choices.operation, minlength=14)
        assert abs(counts - 1_000).max() < 4.5 * np.sqrt(1_000)
    size = tf.constant([331.0, 331.0])
    turns, moves = (part.numpy() for part in movements(first, size))
    operations, signs = first.operation.numpy(), first.sign.numpy()
    for name, found, expected in [
        ("shear x", turns[:, 0, 1], 0.09),
        ("shear y", turns[:, 1, 0], 0.09),
        ("translate x", moves[:, 0], 45),
        ("translate y", moves[:, 1], 45),
        ("rotate", turns[:, 1, 0], np.sin(np.radians(9))),
    ]:
        is_it = operations == OPERATIONS.index(name)
        np.testing.assert_allclose(found[is_it], expected * signs[is_it], rtol=1e-5)
    strengths = dict(zip(operations.tolist(), first.strength.numpy(), strict=True))
    strengths = {name: strengths[number] for number, name in enumerate(OPERATIONS)}
    for name in ("brightness", "color", "contrast", "sharpness"):
        assert 0.99 * strengths[name] == pytest.approx(0.27)
    assert round(6 * strengths["posterize"]) == 1  # 7 bits are left
    assert 255 * (1 - strengths["solarize"]) == pytest.approx(178.5)


def test_rand_augment_moves_pixels_before_it_changes_colors_in_their_order(images):
    square = images[:1, :33, :33].astype(np.float32)
    config = AugmentConfig(flip=False, policy="rand")
    draws = np.full((1, 15), 0.5, np.float32)

    def changed(*names):
        numbers = [(OPERATIONS.index(name) + 0.5) / 14 for name in names]
        draws[0, 9:] = [numbers[0], 0.5, 0.9, numbers[1], 0.5, 0.9]
        return augment_batch(square, draws, config).numpy()

    turned = changed("rotate", "identity")
    for other in ("solarize", "color"):
        after = changed("rotate", other)
        np.testing.assert_array_equal(after, changed(other, "rotate"))
        operation = chosen(tf.constant(draws[:, 9:]), "rand")[0]
        np.testing.assert_allclose(after, recolored(turned, operation), atol=1e-3)
    both = changed("shear x", "translate y")
    size = tf.constant([33.0, 33.0])
    first, second = (movements(one, size) for one in chosen(tf.constant(draws[:, 9:]), "rand"))
    sheared = warp_affine(square, *first)
    moved = warp_affine(sheared, *second)
    inside = np.s_[:, 6:27, 6:27]
    np.testing.assert_allclose(both[inside], moved[inside], atol=0.05)
    solarized, bright = changed("solarize", "brightness"), changed("brightness", "solarize")
    assert np.abs(solarized - bright).max() > 1
