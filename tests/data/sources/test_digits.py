"""The digits that come with scikit-learn."""

import numpy as np

from tfxfer.config.schema import FitConfig
from tfxfer.data.opening import open_source


def test_digits_are_those_of_scikit_learn_in_256_grays():
    from sklearn.datasets import load_digits

    source = open_source(FitConfig(data="digits"))
    assert source.name == "digits"
    assert source.class_names == tuple("0123456789")
    assert not source.mirrored
    assert {name: len(split) for name, split in source.splits.items()} == {
        "train": 1079,
        "validation": 359,
        "test": 359,
    }
    expected = load_digits()
    for split in source.splits.values():
        for index, image in enumerate(split.open_images().as_numpy_iterator()):
            number = int(split.describe(index).removeprefix("digits #"))
            assert split.labels[index] == expected.target[number]
            gray = np.floor(expected.images[number] * 255 / 16 + 0.5)  # 8 * 255 / 16 is 127.5
            # Half a gray level is rounded to an even number.
            assert np.abs(image - gray[..., np.newaxis]).max() <= 1
            assert image.max() == 255 or expected.images[number].max() < 16
