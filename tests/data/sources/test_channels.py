"""Data whose images have other channels than RGB."""

import numpy as np
import pytest
from conftest import scene
from PIL import Image

from tfxfer.config.schema import FitConfig
from tfxfer.data.image.readability import find_unreadable, reasons_unreadable
from tfxfer.data.opening import open_as_it_is, open_source
from tfxfer.data.sources.channels import split_with_channels, with_channels
from tfxfer.data.sources.digits import open_digits
from tfxfer.errors import DataError, UsageError


def written(folder, save, count=6):
    """Writes images of two classes by `save(path without suffix, number)`."""
    for label, name in enumerate(("dry", "wet")):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            save(folder / name / str(number), label * count + number)
    return folder


def arrays(folder, channels, count=6):
    def save(path, number):
        shape = (12, 10, channels) if channels else (12, 10)
        np.save(f"{path}.npy", np.random.default_rng(number).integers(0, 256, shape, np.uint8))

    return written(folder, save, count)


def photos(folder, mode="RGB"):
    def save(path, number):
        scene(number).convert(mode).save(f"{path}.png")

    return written(folder, save)


def opened(data, **settings):
    return open_source(FitConfig(data=str(data), **settings))


def test_arrays_are_read_with_their_channels(tmp_path):
    source = opened(arrays(tmp_path / "a", 5), channels=5)
    assert source.image_height_width == (12, 10)
    split = source.splits["train"]
    for index, image in enumerate(split.open_images().as_numpy_iterator()):
        np.testing.assert_array_equal(image, np.load(split.describe(index)))
    assert not len(find_unreadable(split))
    # An image is known by its file, whatever is read of it.
    np.testing.assert_array_equal(
        open_as_it_is(str(tmp_path / "a")).splits["train"].digests(),
        with_channels(open_as_it_is(str(tmp_path / "a")), 5).splits["train"].digests(),
    )


def test_gray_photos_have_one_channel_or_three(tmp_path):
    folder = photos(tmp_path / "a", "L")
    for channels in (1, 3):
        (image,) = opened(folder, channels=channels).splits["train"].sample(1)
        assert image.shape[-1:] == ([1] if channels == 1 else [])  # files stay files


def test_arrays_of_rgb_and_gray_need_no_setting(tmp_path):
    for channels in (3, 1, 0):
        assert not len(
            find_unreadable(opened(arrays(tmp_path / f"{channels}", channels)).splits["train"])
        )


@pytest.mark.parametrize(
    ("given", "asked", "message"),
    [
        (5, 3, r"'channels' \(--channels\) is 3, but the images of 'a' have 5 channels, such as "
         r"'.*dry/0.npy'. Give --channels 5."),
        (5, 4, "is 4, but the images of 'a' have 5 channels, .* Give --channels 5"),
        (1, 4, "is 4, but the images of 'a' have 1 channel, .* Give --channels 1"),
        (4, 1, "is 1, but the images of 'a' have 4 channels, .* Give --channels 4"),
    ],
)  # fmt: skip
def test_data_of_other_channels_say_which_to_give(given, asked, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        opened(arrays(tmp_path / "a", given), channels=asked)


@pytest.mark.parametrize("asked", [2, 4, 7])
def test_photos_do_not_have_other_channels(asked, tmp_path):
    with pytest.raises(UsageError, match=rf"is {asked}, but 'a' has files .*dry/0.png'. Use .npy"):
        opened(photos(tmp_path / "a"), channels=asked)


def test_a_manifest_of_arrays_may_have_several_labels_or_tasks(tmp_path):
    folder = arrays(tmp_path / "a", 5)
    rows = [
        f"a/{name}/{number}.npy,{name},{'low' if number % 2 else 'high'}"
        for name in ("dry", "wet")
        for number in range(6)
    ]
    (folder.parent / "a.csv").write_text("\n".join(["path,water,place", *rows]))
    source = opened(folder.parent / "a.csv", channels=5, tasks="water,place")
    assert source.tasks.names == ("water", "place")
    (image,) = source.splits["train"].sample(1)
    assert image.shape == (12, 10, 5)
    rows = [row.rpartition(",")[0].replace("wet", "wet|soil") for row in rows]
    rows = [row.replace("a/wet|soil", "a/wet") for row in rows]
    (folder.parent / "b.csv").write_text("\n".join(["path,label", *rows]))
    source = opened(folder.parent / "b.csv", channels=5, labels="multi")
    assert source.has_several_labels
    assert not len(find_unreadable(source.splits["train"]))


def test_photos_with_alpha_have_four(tmp_path):
    split = opened(photos(tmp_path / "a", "RGBA"), channels=4).splits["train"]
    (image,) = split.sample(1).as_numpy_iterator()
    np.testing.assert_array_equal(image, np.asarray(Image.open(split.describe(0))))


def test_a_model_is_named_that_takes_others(tmp_path):
    source = open_as_it_is(str(arrays(tmp_path / "a", 5)))
    with pytest.raises(UsageError, match=r"The model 'm' takes images of 4 channels, but .*5 ch"):
        with_channels(source, 4, "m")


def test_the_digits_are_gray_and_not_of_four_channels():
    source = with_channels(open_digits(), 1)
    (image,) = source.splits["train"].sample(1).as_numpy_iterator()
    assert image.shape == (8, 8, 1)
    with pytest.raises(UsageError, match=r"'channels' .* is 4, but 'digits' has RGB images"):
        with_channels(open_digits(), 4)


def test_what_is_read_in_order_is_converted_in_order():
    split = open_digits().splits["train"].select(np.arange(5))
    in_order = split_with_channels(
        type(split)(split.labels, split.open_images, split.describe, split.digests), 1
    )
    images = list(in_order.open_images().as_numpy_iterator())
    assert [image.shape for image in images] == [(8, 8, 1)] * 5
    assert in_order.read_image is None


def test_single_files_that_differ_are_named_with_the_reason(tmp_path):
    folder = arrays(tmp_path / "a", 4, count=8)
    np.save(folder / "dry" / "7.npy", np.zeros((4, 4, 5), np.uint8))
    np.save(folder / "wet" / "7.npy", np.full((4, 4, 4), np.nan))
    (folder / "dry" / "6.npy").write_bytes((folder / "dry" / "5.npy").read_bytes()[:-9])
    split = with_channels(open_as_it_is(str(folder)), 4).splits["train"]
    bad = find_unreadable(split)
    told = dict(zip(map(split.describe, bad.tolist()), reasons_unreadable(split, bad), strict=True))
    assert {name[-9:]: reason for name, reason in told.items()} == {
        "dry/7.npy": "it has 5 channels, not 4",
        "dry/6.npy": "it is incomplete: 9 bytes of its array are missing",
        "wet/7.npy": "it has NaN; floats must be in [0, 1]",
    }


@pytest.mark.slow
def test_single_gray_files_that_cannot_be_read_are_named_with_the_reason(tmp_path):
    folder = photos(tmp_path / "a", "L")
    content = (folder / "dry" / "5.png").read_bytes()
    (folder / "dry" / "3.png").write_bytes(b"")
    (folder / "dry" / "4.png").write_bytes(content[:40])
    scene(1).save(folder / "wet" / "5.png")
    split = with_channels(open_as_it_is(str(folder)), 1).splits["train"]
    bad = find_unreadable(split)
    told = dict(zip(map(split.describe, bad.tolist()), reasons_unreadable(split, bad), strict=True))
    assert {name[-9:]: reason for name, reason in told.items()} == {
        "dry/3.png": "it is empty",
        "dry/4.png": "it is incomplete",
        "wet/5.png": "it has colors, not 1 channel",
    }


def test_files_of_pickled_objects_are_refused_by_name(tmp_path):
    def save(path, number):
        np.save(f"{path}.npy", np.array([[number, "a"]], object), allow_pickle=True)

    message = (
        r"Cannot read any of the 12 .*dry/0.npy: it holds pickled Python objects, which are never"
    )
    with pytest.raises(DataError, match=message):
        opened(written(tmp_path / "a", save))
