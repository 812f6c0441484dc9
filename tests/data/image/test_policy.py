"""Colors against Pillow, and the matrices of what moves pixels against the paper's definitions."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from tfxfer.config.schema import AugmentConfig
from tfxfer.data.image.augmentation import augment_batch, draw
from tfxfer.data.image.policy import OPERATIONS, Choices, movements, recolored

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


def chosen(name, strength, sign=1, number=1):
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
            choices = chosen(name, strength, sign, len(images))
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
    found = recolored(tf.zeros((0, 8, 8, 3)), chosen("equalize", 1, number=0))
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
        found, moved = movements(chosen(name, 0.5), size)
        np.testing.assert_allclose(found[0], matrix, atol=1e-6)
        np.testing.assert_allclose(moved[0], offset)
        back, moved_back = movements(chosen(name, 0.5, -1), size)
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
