"""Thumbnails are where the page looks for them."""

import base64
import io

import numpy as np
import pytest
from made import SIDE, guesses, made_findings
from PIL import Image

from tfxfer.reporting.thumbnails import data_urls, lay_out, read_thumbnails, shrunk, with_heat


def opened(url):
    head, content = url.split(",")
    assert head == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


@pytest.mark.parametrize("side", [8, 32, 33, 64])
def test_each_thumbnail_has_its_place_on_a_sheet(side):
    colors = np.random.default_rng(0).integers(0, 256, (300, 3), dtype=np.uint8)
    pictures = np.tile(colors[:, None, None], (1, side, side, 1))
    sheets = lay_out(pictures)
    assert sheets.pitch % 16 == 0
    assert len(sheets.urls) == 2
    pixels = [opened(url) for url in sheets.urls]
    for number in (0, 1, 15, 16, 255, 256, 299):
        sheet, place = divmod(number, sheets.rows * sheets.columns)
        row, column = divmod(place, sheets.columns)
        top, left = row * sheets.pitch, column * sheets.pitch
        found = pixels[sheet][top : top + side, left : left + side]
        # JPEG's colors are coarse, most of all where two pictures meet.
        assert np.abs(np.median(found, axis=(0, 1)) - colors[number]).max() < 8


def test_no_thumbnails_need_no_sheet():
    assert lay_out(np.zeros((0, 32, 32, 3), np.uint8)).urls == ()


def test_images_are_read_in_the_requested_order(tmp_path):
    pictures = np.arange(7, dtype=np.uint8)[:, None, None, None] * 30 + np.zeros(
        (SIDE, SIDE, 3), np.uint8
    )
    findings = made_findings(tmp_path, ["a", "b"], *guesses(7, 2, 0.5), pictures=pictures)
    found = read_thumbnails(findings.images, np.array([5, 1, 6, 1]), 32)
    assert found.shape == (4, 32, 32, 3)
    np.testing.assert_array_equal(found[:, 0, 0, 0], [150, 30, 180, 30])
    assert read_thumbnails(findings.images, np.array([3]), 500).shape == (1, SIDE, SIDE, 3)
    assert read_thumbnails(findings.images, np.zeros(0, np.int64), 32).shape == (0, 32, 32, 3)


def test_shrinking_averages_and_leaves_small_images_unchanged():
    squares = np.zeros((1, 64, 64, 3), np.uint8)
    squares[:, ::2] = 200
    np.testing.assert_array_equal(shrunk(squares, 16), np.full((1, 16, 16, 3), 100))
    assert shrunk(squares, 64) is squares


def test_heat_makes_an_image_brighter_and_no_heat_leaves_it_gray():
    pictures = np.full((1, 64, 64, 3), (200, 100, 0), np.uint8)
    heat = np.zeros((1, 4, 4), np.float32)
    heat[0, 0, 0], heat[0, 3, 3] = 1, 0.5
    found = with_heat(pictures, heat)[0].astype(float)
    hot, warm, cold = found[4, 4], found[60, 60], found[4, 60]
    assert hot.sum() > warm.sum() > cold.sum()
    assert np.ptp(cold) <= 3
    assert opened(data_urls(with_heat(pictures, heat))[0]).shape == (64, 64, 3)


def test_oblong_thumbnails_keep_their_shape_and_are_centered_on_gray_on_sheets():
    wide = np.full((3, 32, 64, 3), 200, np.uint8)
    small = shrunk(wide, 16)
    np.testing.assert_array_equal(small, np.full((3, 8, 16, 3), 200))
    sheets = lay_out(small)
    assert (sheets.side, sheets.pitch) == (16, 16)
    tile = opened(sheets.urls[0])[:16, :16].astype(int)
    assert abs(tile[:4] - 128).max() < 24  # JPEG
    assert abs(tile[5:11] - 200).max() < 24
    heat = np.zeros((3, 4, 8), np.float32)
    assert with_heat(wide, heat).shape == wide.shape
