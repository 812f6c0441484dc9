"""Mixed images and targets against formulas in NumPy, and their distributions."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from tfxfer.config.schema import AugmentConfig
from tfxfer.data.image.augmentation.mixing import (
    draw_mixing,
    mix_batch,
    mix_targets,
    mixes_images,
)

SEED = tf.constant([1, 2])
MIXUP, CUTMIX = AugmentConfig(mixup=0.2), AugmentConfig(cutmix=1.0)
BOTH = AugmentConfig(mixup=0.2, cutmix=1.0)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 7, 10, 3), dtype=np.uint8)


def test_either_setting_mixes():
    assert [mixes_images(one) for one in (MIXUP, CUTMIX, BOTH)] == [True] * 3
    assert not mixes_images(AugmentConfig(flip=True, crop=0.2, policy="trivial"))


@pytest.mark.parametrize("strength", [0.01, 0.2, 1.0, 8.0])
def test_shares_have_the_beta_distribution(strength):
    config = AugmentConfig(mixup=strength, cutmix=strength)
    draws = draw_mixing(20_000, SEED, config).numpy()
    assert draws.shape == (20_000, 5)
    for shares in (draws[:, 0], draws[:, 1]):
        assert np.isfinite(shares).all()
        for place in (1e-3, 0.1, 0.5, 0.9, 0.999):
            expected = scipy.stats.beta.cdf(place, strength, strength)
            assert np.mean(shares <= place) == pytest.approx(expected, abs=0.015)
    for column in draws[:, 2:].T:
        assert scipy.stats.kstest(column, "uniform").pvalue > 1e-4
    assert np.abs(np.corrcoef(draws.T) - np.eye(5)).max() < 0.04


def test_the_numbers_depend_on_the_seed_alone():
    first = draw_mixing(9, SEED, BOTH)
    np.testing.assert_array_equal(first, draw_mixing(9, SEED, BOTH))
    other = draw_mixing(9, tf.constant([1, 3]), BOTH)
    assert (np.asarray(first) != np.asarray(other)).all()


def test_mixup_adds_up_an_image_and_the_next(images):
    draws = draw_mixing(5, SEED, MIXUP).numpy()
    found, shares = mix_batch(images, tf.constant(draws), MIXUP)
    np.testing.assert_array_equal(shares, draws[:, 0])
    for place, share in enumerate(draws[:, 0]):
        expected = share * images[place] + (1 - share) * images[(place + 1) % 5]
        np.testing.assert_allclose(found[place], expected, atol=1e-3)


def test_cutmix_puts_a_box_of_the_next_image_into_each(images):
    for seed in range(20):
        draws = draw_mixing(5, tf.constant([seed, 0]), CUTMIX).numpy()
        found, shares = (part.numpy() for part in mix_batch(images, tf.constant(draws), CUTMIX))
        for place, (_, share, x, y, _) in enumerate(draws):
            expected = images[place].copy()
            width, height = int(10 * np.sqrt(1 - share)), int(7 * np.sqrt(1 - share))
            left, top = int(10 * x) - width // 2, int(7 * y) - height // 2
            across = slice(max(left, 0), max(min(left + width, 10), 0))
            down = slice(max(top, 0), max(min(top + height, 7), 0))
            expected[down, across] = images[(place + 1) % 5][down, across]
            np.testing.assert_array_equal(found[place], expected)
            area = (across.stop - across.start) * (down.stop - down.start)
            assert shares[place] == pytest.approx(1 - area / 70, abs=1e-6)


def test_with_both_each_batch_has_one_of_them(images):
    kinds = []
    for seed in range(100):
        draws = draw_mixing(5, tf.constant([seed, 0]), BOTH)
        found, shares = mix_batch(images, draws, BOTH)
        by_kind = [mix_batch(images, draws, one) for one in (MIXUP, CUTMIX)]
        (kind,) = [
            number
            for number, (mixed, its_shares) in enumerate(by_kind)
            if np.array_equal(found, mixed) and np.array_equal(shares, its_shares)
        ]
        kinds.append(kind)
    assert 28 < sum(kinds) < 72  # 50 by 4.5 standard deviations


@pytest.mark.parametrize("config", [MIXUP, CUTMIX, BOTH])
@pytest.mark.parametrize("count", [0, 1])
def test_an_empty_batch_and_a_single_image_stay(images, config, count):
    found, shares = mix_batch(images[:count], draw_mixing(count, SEED, config), config)
    np.testing.assert_allclose(found, images[:count], atol=1e-3)
    targets, _ = mix_targets(tf.fill([count], 2), None, shares, 3)
    np.testing.assert_allclose(targets, np.tile([0, 0, 1], (count, 1)))


@pytest.mark.parametrize("is_weighted", [True, False])
def test_a_mixed_target_has_the_loss_of_both_labels_by_share_and_weight(is_weighted):
    draws = np.random.default_rng(0)
    labels = draws.integers(3, size=6).astype(np.int32)
    shares = draws.random(6).astype(np.float32)
    weights = draws.random(6).astype(np.float32) * 3 if is_weighted else None
    of_each = scipy.special.log_softmax(draws.normal(size=(6, 3)), axis=1)
    targets, total = mix_targets(
        tf.constant(labels),
        None if weights is None else tf.constant(weights),
        tf.constant(shares),
        3,
    )
    found = -total.numpy() * (targets.numpy() * of_each).sum(axis=1)
    for place in range(6):
        after = (place + 1) % 6
        own = 1.0 if weights is None else weights[place]
        other = 1.0 if weights is None else weights[after]
        expected = -shares[place] * own * of_each[place, labels[place]]
        expected -= (1 - shares[place]) * other * of_each[place, labels[after]]
        assert found[place] == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(targets.numpy().sum(axis=1), 1, rtol=1e-6)


def test_unknown_labels_count_for_nothing_when_several_are_mixed():
    nan = np.nan
    labels = np.array([[1, 0, nan], [0, nan, nan]], np.float32)
    weights = np.array([[2, 1, 9], [1, 9, 9]], np.float32)
    shares = np.array([0.75, 0.5], np.float32)
    targets, total = mix_targets(tf.constant(labels), tf.constant(weights), shares, 3)
    np.testing.assert_allclose(total, [[1.75, 0.75, 0], [1.5, 0.5, 0]])
    np.testing.assert_allclose(targets, [[1.5 / 1.75, 0, nan], [1 / 1.5, 0, nan]], rtol=1e-6)
    alike, ones = mix_targets(tf.constant(labels), None, tf.ones(2), 3)
    np.testing.assert_array_equal(alike, labels)
    np.testing.assert_array_equal(ones, ~np.isnan(labels))
