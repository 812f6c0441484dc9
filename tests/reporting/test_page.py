"""The report of a run, as a browser shows it."""

import dataclasses
import io
import re
import shutil

import numpy as np
import pytest
from browser import open_browser, open_page
from made import SIDE, guesses, made_epochs, made_findings
from PIL import Image

from tfxfer.reporting import model_card, page
from tfxfer.runs.search.record import SearchRecord
from tfxfer.runs.search.trials import TrialRow, write_trials
from tfxfer.system.run_layout import RunDirectory

NAMES = ['<img src=x onerror=alert(1)>"q"', "two\nlines", "</script>熊 & 'Bär', {{ x }}", "plain"]


@pytest.fixture(scope="module")
def browser():
    with open_browser() as opened:
        yield opened


def color_of(number):
    return np.array([(37 * number) % 256, (91 * number) % 256, (151 * number) % 256])


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """60 images, each of a color of its own, in four classes of hostile names."""
    pictures = np.stack(
        [np.full((SIDE, SIDE, 3), color_of(number), np.uint8) for number in range(60)]
    )
    return made_findings(
        tmp_path_factory.mktemp("runs") / "made",
        NAMES,
        *guesses(60, 4, 0.6),
        pictures=pictures,
        describe=lambda number: f'/photos/<b>"x",\n\udcff{number}.jpg',
    )


def test_images_that_were_drawn_beforehand_are_not_drawn_again(findings, monkeypatch):
    copy = dataclasses.replace(findings, drawn={})
    page.draw(copy)
    expected = page.render(findings)
    monkeypatch.setattr(page, "read_thumbnails", None)
    assert page.render(dataclasses.replace(copy, metrics=findings.metrics)) == expected


def number_in(name):
    """Returns the number in the name of an image as the page shows it, after an odd byte."""
    return int(re.search(r"(\d+)\.jpg$", name.split("\n")[1]).group(1))


@pytest.fixture(scope="module")
def path(findings):
    written = findings.run.path / "report.html"
    written.write_text(page.render(findings), "utf-8")
    return written


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_the_page_opens_without_errors_or_requests_and_fits(browser, path, width, scheme):
    with open_page(browser, path, width=width, scheme=scheme) as (shown, seen):
        assert shown.evaluate("document.documentElement.scrollWidth") == width
        ground = shown.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = np.mean([int(part) for part in ground.strip("rgb()").split(",")])
        assert (brightness > 128) == (scheme == "light")
        sizes = shown.eval_on_selector_all("img", "all => all.map(one => one.naturalWidth)")
        assert sizes
        assert min(sizes) == SIDE
        assert seen.is_clean, seen


def test_names_come_through_as_they_are(browser, path, findings):
    with open_page(browser, path) as (shown, seen):
        cells = shown.eval_on_selector_all(
            "#classes tbody tr td:first-child", "all => all.map(one => one.textContent)"
        )
        assert cells == NAMES
        heads = shown.eval_on_selector_all(
            "#matrix thead th", "all => all.map(one => one.textContent)"
        )
        assert heads == NAMES
        shown_ids = shown.eval_on_selector_all(
            ".explained figcaption span", "all => all.map(one => one.textContent)"
        )
        assert all(one.startswith('<b>"x",\n') for one in shown_ids)
        assert seen.is_clean, seen


def test_the_rows_of_the_matrix_sum_to_the_images_of_their_class(browser, path, findings):
    with open_page(browser, path) as (shown, _):
        rows = shown.eval_on_selector_all(
            "#matrix tbody tr",
            "rows => rows.map(row => [...row.querySelectorAll('td')].map("
            "cell => Number(cell.textContent)))",
        )
        assert rows == findings.result.confusion.tolist()
        assert [sum(row) for row in rows] == np.bincount(findings.result.labels).tolist()
        images = shown.eval_on_selector_all(
            "#classes tbody tr td:nth-child(3)", "all => all.map(one => Number(one.textContent))"
        )
        assert images == [sum(row) for row in rows]


def test_the_table_of_classes_is_sorted_by_a_click(browser, path, findings):
    with open_page(browser, path) as (shown, _):
        button = shown.locator("#classes thead button", has_text="F1")

        def values():
            return shown.eval_on_selector_all(
                "#classes tbody tr td:nth-child(6)",
                "all => all.map(one => Number(one.textContent))",
            )

        f1 = [round(float(value), 4) for value in findings.result.classes.f1]
        button.click()
        assert values() == sorted(f1, reverse=True)
        button.click()
        assert values() == sorted(f1)
        shown.locator("#classes thead button", has_text="class").click()
        shown.locator("#classes thead button", has_text="class").click()
        first = shown.locator("#classes tbody tr td").first.text_content()
        assert first in NAMES


def test_the_matrix_is_shown_in_other_orders_and_as_shares(browser, path, findings):
    confusion = findings.result.confusion
    with open_page(browser, path) as (shown, _):
        shown.select_option("#order", "lowest F1 first")
        order = np.argsort(findings.result.classes.f1, kind="stable")
        rows = shown.eval_on_selector_all(
            "#matrix tbody tr",
            "rows => rows.map(row => [...row.querySelectorAll('td')].map("
            "cell => Number(cell.textContent)))",
        )
        assert rows == confusion[np.ix_(order, order)].tolist()
        shown.select_option("#order", "class index")
        shown.check("#shares")
        share = shown.locator("#matrix tbody tr").first.locator("td").first.text_content()
        assert int(share) == round(100 * confusion[0, 0] / confusion[0].sum())


def test_a_click_on_a_cell_shows_its_images(browser, path, findings):
    result, predicted = findings.result, findings.predicted
    with open_page(browser, path) as (shown, seen):
        for row, column in [
            (0, 0),
            *np.argwhere(result.confusion - np.diag(np.diag(result.confusion)))[:4],
        ]:
            shown.click(f'#matrix button[data-row="{row}"][data-column="{column}"]')
            behind = np.flatnonzero((result.labels == row) & (predicted == column))
            order = np.argsort(
                findings.confidence[behind] * (1 if row == column else -1), kind="stable"
            )
            tiles = shown.locator("#tiles .tile")
            assert tiles.count() == len(behind)
            names = shown.eval_on_selector_all("#tiles figure", "all => all.map(one => one.title)")
            numbers = [number_in(name) for name in names]
            assert numbers == behind[order].tolist()
            for place, number in enumerate(numbers):
                picture = Image.open(io.BytesIO(tiles.nth(place).screenshot())).convert("RGB")
                middle = np.asarray(picture)[20:-20, 20:-20].mean(axis=(0, 1))
                assert np.abs(middle - color_of(number)).max() < 12, (number, middle)
            if row != column:
                title = shown.text_content("#cell-title")
                assert f"'{NAMES[row]}' predicted as '{NAMES[column]}'" in title
            shown.keyboard.press("Escape")
            assert not shown.locator("#cell").is_visible()
        assert seen.is_clean, seen


def test_in_print_the_settings_are_open_and_the_controls_gone(browser, path):
    with open_page(browser, path, scheme="dark") as (shown, seen):
        shown.emulate_media(media="print")
        assert not shown.locator("nav").is_visible()
        assert not shown.locator("#order").is_visible()
        assert (
            shown.evaluate("getComputedStyle(document.body).backgroundColor")
            == "rgb(255, 255, 255)"
        )
        shown.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert shown.locator("details pre").is_visible()
        assert shown.pdf().startswith(b"%PDF")
        assert seen.is_clean, seen


def test_the_curves_mark_the_phases_and_the_best_epoch(path):
    text = path.read_text("utf-8")
    assert text.count('class="mark-text"') == 6  # two phases on three charts
    assert text.count('class="best"') == 3
    assert "iteration of L-BFGS" in text
    assert "less confident" not in text


def test_the_head_that_finetuning_starts_from_is_named_at_the_curves(findings):
    metrics = dataclasses.replace(findings.metrics, start_penalty=0.25)
    text = page.render(dataclasses.replace(findings, metrics=metrics))
    assert "L2 penalty 0.25" in text


def test_the_trials_of_a_search_are_a_table_with_the_choice(findings, tmp_path):
    assert 'id="trials"' not in page.render(findings)
    run = RunDirectory(shutil.copytree(findings.run.path, tmp_path / "searched"))
    write_trials(
        run,
        [
            TrialRow("head alone", "none", 0.0, "", 0, 0, 0.5125, 0.01, 0.9, 1.5, "no"),
            TrialRow("all at 0.001", "all", 1e-3, "flip", 1, 2, 0.2575, 0.02, 0.95, 9.0, "yes"),
        ],
    )
    record = SearchRecord("all at 0.001", 1, 2, "its loss is lower by 0.255 than <b>")
    metrics = dataclasses.replace(findings.metrics, search=record, splits={"test": {}})
    text = page.render(dataclasses.replace(findings, run=run, metrics=metrics))
    table = text.partition('id="trials"')[2].partition("</table>")[0]
    assert table.count("<tr>") == 3
    for word in ("head alone", "0.5125", "all at 0.001", "flip", "0.2575", "0.0200", "0.9500"):
        assert f">{word}</td>" in table
    assert "chose &#39;all at 0.001&#39;: its loss is lower by 0.255 than &lt;b&gt;." in text
    assert ("again, without the search" in text) == (findings.config.effort == "quick")
    assert "bootstrap" not in text.partition('id="trials"')[0]  # as there is a test split
    record = dataclasses.replace(record, optimism=0.0234)
    metrics = dataclasses.replace(findings.metrics, search=record, splits={"validation": {}})
    changed = dataclasses.replace(findings, run=run, metrics=metrics)
    for told in (page.render(changed), model_card.render(changed)):
        assert "2 configurations" in told
        assert "about 2.3 percentage points" in told


def test_no_number_beside_a_chart_is_cut_off(browser, findings, tmp_path):
    rates = (1.0, 1.0, 1.2e-3, 0.0)
    epochs = [
        dataclasses.replace(epoch, learning_rate=rate)
        for epoch, rate in zip(made_epochs(), rates, strict=True)
    ]
    changed = dataclasses.replace(findings, epochs=epochs)
    (tmp_path / "page.html").write_text(page.render(changed), "utf-8")
    with open_page(browser, tmp_path / "page.html") as (shown, _):
        words = shown.eval_on_selector_all(
            "svg.chart text",
            """all => all.map(one => {
                const text = one.getBoundingClientRect();
                const chart = one.ownerSVGElement.getBoundingClientRect();
                return [one.textContent, text.left >= chart.left && text.right <= chart.right + 1];
            })""",
        )
    assert "0.00125" in [word for word, _ in words]
    assert [word for word, is_whole in words if not is_whole] == []


def test_mistakes_come_with_the_most_confident_first_and_correct_ones_with_the_least(
    browser, path, findings
):
    wrong = np.flatnonzero(findings.predicted != findings.result.labels)
    right = np.flatnonzero(findings.predicted == findings.result.labels)
    expected = [
        *wrong[np.argsort(-findings.confidence[wrong], kind="stable")][:12],
        *right[np.argsort(findings.confidence[right], kind="stable")][:12],
    ]
    with open_page(browser, path) as (shown, _):
        ids = shown.eval_on_selector_all(
            ".explained figcaption span", "all => all.map(one => one.textContent)"
        )
        assert [number_in(one) for one in ids] == expected
        # A mistake has heat maps for prediction and label, a correct prediction has one.
        counts = shown.eval_on_selector_all(
            ".explained", "all => all.map(one => one.querySelectorAll('img').length)"
        )
        assert counts == [3] * min(12, len(wrong)) + [2] * 12


def test_without_mistakes_the_page_says_so(browser, tmp_path):
    findings = made_findings(
        tmp_path, ["a", "b"], np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]])
    )
    path = tmp_path / "report.html"
    path.write_text(page.render(findings), "utf-8")
    with open_page(browser, path) as (shown, seen):
        assert "no mistakes" in shown.locator("#mistakes + p").text_content()
        assert seen.is_clean, seen


@pytest.mark.slow
def test_a_hundred_classes_and_ten_thousand_images_make_a_page_of_less_than_5_mb(browser, tmp_path):
    names = [f"class number {number}" for number in range(100)]
    findings = made_findings(tmp_path, names, *guesses(10_000, 100, 0.6))
    path = tmp_path / "report.html"
    path.write_text(page.render(findings), "utf-8")
    assert path.stat().st_size < 5e6
    with open_page(browser, path) as (shown, seen):
        assert shown.locator("#matrix tbody tr").count() == 100
        sums = shown.evaluate(
            "JSON.parse(document.getElementById('matrix-data').textContent).cells.reduce("
            "(sum, cell) => sum + cell[2], 0)"
        )
        assert sums == 10_000
        shown.locator("#matrix tbody td button").first.click()
        assert shown.locator("#tiles .tile").first.is_visible()
        assert seen.is_clean, seen


def test_of_more_than_a_hundred_classes_those_with_the_most_mistakes_are_shown(tmp_path):
    labels = np.repeat(np.arange(120), 2)
    probabilities = np.full((240, 120), 1e-4)
    said = labels.copy()
    said[200:] = 119  # the last classes are the ones with mistakes
    probabilities[np.arange(240), said] = 0.9
    findings = made_findings(tmp_path, [f"{n:03d}" for n in range(120)], labels, probabilities)
    shown = page._matrix(findings)["matrix"]["names"]
    assert len(shown) == 100
    assert {f"{n:03d}" for n in range(100, 120)} <= set(shown)
    assert "100 of 120 classes" in page.render(findings)


@pytest.mark.slow
def test_a_page_on_thousands_of_classes_opens_and_has_all_of_them(browser, tmp_path):
    labels = np.repeat(np.arange(3000), 2)
    probabilities = np.full((6000, 3000), 1e-5, np.float32)
    said = np.where(np.arange(6000) % 3 == 0, (labels + 1) % 3000, labels)
    probabilities[np.arange(6000), said] = 0.9
    names = [f"species {n}" for n in range(3000)]
    findings = made_findings(tmp_path, names, labels, probabilities)
    (tmp_path / "page.html").write_text(page.render(findings), "utf-8")
    assert (tmp_path / "page.html").stat().st_size < 6e6
    with open_page(browser, tmp_path / "page.html") as (shown, seen):
        assert shown.locator("#classes tbody tr").count() == 3000
        assert shown.locator("#matrix tbody tr").count() == 100
        # The table has a bar of its own: what follows is not thousands of rows below.
        assert shown.evaluate("document.documentElement.scrollHeight") < 15_000
        shown.locator("#classes thead button", has_text="F1").click()
        first = shown.locator("#classes tbody tr").first.locator("td")
        assert float(first.nth(5).text_content()) == round(
            float(findings.result.classes.f1.max()), 4
        )
        assert seen.is_clean, seen


@pytest.mark.slow
def test_classes_that_are_confused_stand_together():
    confusion = np.diag([10, 10, 10, 10, 10])
    confusion[0, 3] = confusion[3, 0] = 8
    confusion[1, 4] = confusion[4, 1] = 8
    order = page._confused_together(confusion)
    assert sorted(order) == [0, 1, 2, 3, 4]
    assert abs(order.index(0) - order.index(3)) == 1
    assert abs(order.index(1) - order.index(4)) == 1
    assert page._confused_together(np.eye(2, dtype=int)) == [0, 1]


@pytest.mark.slow
def test_odd_bytes_of_file_names_are_shown(path):
    assert re.search(r"\\xff\d+\.jpg", path.read_text("utf-8"))
