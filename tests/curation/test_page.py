"""The page of a check: what it shows, in a browser at two widths and in both themes."""

import re
import shutil

import pytest
from browser import open_browser, open_page
from conftest import SMALL_BACKBONE, scene_file

from tfxfer.api.check import check


@pytest.fixture(scope="module")
def page_of_check(pictures, weights_file, tmp_path_factory):
    """The page of a folder with an image in the wrong class and a near-duplicate, and its check."""
    folder = tmp_path_factory.mktemp("page")
    photos = shutil.copytree(pictures, folder / "photos")
    shutil.move(photos / "train" / "red" / "3.jpg", photos / "train" / "blue" / "<b>moved.jpg")
    (photos / "train" / "red" / "scene.jpg").write_bytes(scene_file(1))
    (photos / "test" / "red" / "again.jpg").write_bytes(scene_file(1, quality=60))
    settings = {"weights": str(weights_file), "image_size": 32, "cache_dir": str(folder / "cache")}
    result = check(str(photos), backbone=SMALL_BACKBONE, output=folder / "check.html", **settings)
    return folder / "check.html", result


@pytest.mark.slow
def test_it_shows_suspects_with_neighbors_and_near_copies(page_of_check):
    path, result = page_of_check
    text = path.read_text("utf-8")
    assert result.by_features.suspects[0].suggested == "red"
    assert "<b>blue</b>; looks like <b>red</b>" in text
    assert "blue/&lt;b&gt;moved.jpg" in text  # escaped
    assert "<b>moved" not in text
    cards = re.findall(r'<figure class="card">.*?</figure>', text, re.DOTALL)
    assert len(cards) == len(result.by_features.suspects)
    assert all(card.count("<img") == 6 for card in cards)
    assert "across splits" in text
    assert "red/scene.jpg" in text
    assert "red/again.jpg" in text
    assert "train and test: " in text


@pytest.mark.slow
def test_it_opens_in_a_browser_at_any_width_in_both_themes(page_of_check):
    with open_browser() as browser:
        for width in (390, 1400):
            for scheme in ("light", "dark"):
                opened = open_page(browser, page_of_check[0], width=width, scheme=scheme)
                with opened as (page, seen):
                    assert seen.is_clean
                    assert page.evaluate("document.documentElement.scrollWidth") == width
