import numpy as np
import pytest

from tfxfer.config.schema import AugmentConfig, FitConfig
from tfxfer.data.batches import Views, array_batches, feature_batches, training_batches
from tfxfer.data.image.dataset import Images
from tfxfer.data.opening import open_source

FEATURES = np.arange(14, dtype="float32").reshape(7, 2)
LABELS = np.arange(7)


def rows(**arguments):
    return list(feature_batches(FEATURES, LABELS, 3, **arguments))


def test_each_epoch_has_every_example_once_with_its_label():
    batches = rows(seed=0, epochs=2)
    assert [len(labels) for _, labels in batches] == [3, 3, 1, 3, 3, 1]
    for epoch in (batches[:3], batches[3:]):
        assert sorted(np.concatenate([labels for _, labels in epoch])) == list(range(7))
    for features, labels in batches:
        assert np.array_equal(features, FEATURES[labels.numpy()])


def test_weights_are_the_third_and_stay_with_their_examples():
    weights = np.linspace(0.5, 1.5, 7, dtype="float32")
    plain, weighted = rows(seed=0, epochs=2), rows(seed=0, epochs=2, weights=weights)
    for (features, labels), (same_features, same_labels, its_weights) in zip(
        plain, weighted, strict=True
    ):
        assert np.array_equal(features, same_features)
        assert np.array_equal(labels, same_labels)
        assert np.array_equal(its_weights, weights[labels.numpy()])


def test_the_order_depends_on_seed_and_epoch_alone():
    def order(seed):
        return np.concatenate([labels for _, labels in rows(seed=seed, epochs=2)]).tolist()

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(1)[:7] != order(1)[7:]


@pytest.mark.parametrize(
    ("first_epoch", "first_step", "batches"), [(1, 0, 6), (1, 2, 4), (0, 1, 8)]
)
def test_what_was_seen_before_is_left_out_and_the_rest_is_the_same(
    first_epoch, first_step, batches
):
    whole = rows(seed=3, epochs=3)
    rest = rows(seed=3, epochs=3, start=(first_epoch, first_step))
    assert len(rest) == batches
    for (_, ours), (_, theirs) in zip(rest, whole[-batches:], strict=True):
        assert np.array_equal(ours, theirs)


def test_features_come_in_the_order_of_their_images():
    source = open_source(FitConfig(data="digits", train_examples=20))
    images = Images(source.splits["train"], 8)
    places = {"seed": 5, "epochs": 2, "start": (0, 1)}
    of_images = training_batches(images, 6, **places)
    of_features = feature_batches(np.array(images.kept), images.labels, 6, **places)
    assert len(of_images) == len(of_features) == 7
    for (pixels, labels), (features, their_labels) in zip(of_images, of_features, strict=True):
        assert np.array_equal(labels, their_labels)
        assert np.array_equal(pixels, features)


def test_features_of_mirror_images_come_where_an_image_is_mirrored():
    source = open_source(FitConfig(data="digits", train_examples=20))
    images = Images(source.splits["train"], 8)
    kept = np.array(images.kept, "float32")
    both, places = np.concatenate([kept, kept[:, :, ::-1]]), {"seed": 5, "epochs": 2}
    of_features = feature_batches(both, images.labels, 6, **places, start=(0, 1))
    of_images = training_batches(
        images, 6, **places, start=(0, 1), augment=AugmentConfig(flip=True)
    )
    changed = 0
    for (pixels, labels), (features, their_labels) in zip(of_images, of_features, strict=True):
        assert np.array_equal(labels, their_labels)
        assert np.array_equal(pixels, features)
        changed += not np.array_equal(features, kept[: len(features)])
    assert changed


def test_each_epoch_has_one_view_of_all_and_the_first_comes_again_after_the_last():
    labels = np.arange(4)
    views = Views(np.concatenate([10 * labels, 10 * labels + 1]), 2)
    seen = list(feature_batches(views, labels, 3, seed=5, epochs=5))
    for epoch in range(5):
        features, theirs = (np.concatenate(x) for x in zip(*seen[2 * epoch : 2 * epoch + 2]))
        np.testing.assert_array_equal(features, 10 * theirs + epoch % 2)
        assert sorted(theirs) == [0, 1, 2, 3]
    resumed = list(feature_batches(views, labels, 3, seed=5, epochs=5, start=(3, 1)))
    for ours, theirs in zip(resumed, seen[7:], strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])


def test_mixed_images_come_with_mixed_targets_and_weights_and_resume_at_any_step():
    source = open_source(FitConfig(data="digits", train_examples=20))
    images = Images(source.splits["train"], 8)
    images = images.weighted(np.linspace(0.5, 1.5, 20, dtype="float32"))
    mixing = AugmentConfig(mixup=0.4, cutmix=1.0)
    places = {"seed": 5, "num_classes": 10}
    plain = list(training_batches(images, 6, epochs=3, **places))
    whole = list(training_batches(images, 6, epochs=3, augment=mixing, **places))
    by_kind = {"mixed": 0, "pasted": 0}
    for (own, labels, weights), (pixels, targets, total) in zip(plain, whole, strict=True):
        own, labels, weights = own.numpy().astype("float32"), labels.numpy(), weights.numpy()
        after, classes = np.roll(own, -1, axis=0), np.eye(10, dtype="float32")[labels]
        own_weights, next_weights = weights, np.roll(weights, -1)
        # The share follows from what each target and weight is made of.
        share = np.array([row[label] for row, label in zip(targets.numpy(), labels, strict=True)])
        alike = labels == np.roll(labels, -1)
        share = share * total / own_weights
        expected = share * own_weights + (1 - share) * next_weights
        np.testing.assert_allclose(total.numpy()[~alike], expected[~alike], rtol=1e-4)
        of_both = (share * own_weights)[:, None] * classes
        of_both += ((1 - share) * next_weights)[:, None] * np.roll(classes, -1, axis=0)
        np.testing.assert_allclose(
            targets.numpy()[~alike], (of_both / total.numpy()[:, None])[~alike], atol=1e-4
        )
        is_pasted = np.all((pixels == own) | (pixels == after))
        by_kind["pasted" if is_pasted else "mixed"] += 1
        if not is_pasted:
            rows = share[:, None, None, None]
            seen = rows * own + (1 - rows) * after
            np.testing.assert_allclose(pixels[~alike], seen[~alike], atol=0.05)
    assert min(by_kind.values()) > 1
    rest = training_batches(images, 6, epochs=3, augment=mixing, start=(1, 2), **places)
    for ours, theirs in zip(rest, whole[6:], strict=True):
        for part, its in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(part, its)


def test_batches_of_arrays_have_every_row_once_in_order():
    rows, labels = np.arange(14).reshape(7, 2), np.arange(7)
    batches = list(array_batches(rows, labels, 3).as_numpy_iterator())
    assert [len(labels) for _, labels in batches] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in batches]), rows)
