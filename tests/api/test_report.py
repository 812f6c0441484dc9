"""The report on a finished run: at the end of a fit, on its own, and on several runs."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from browser import open_browser, open_page
from click.testing import CliRunner
from conftest import small_config, trained_alone, write_pictures

import tfxfer
from tfxfer.api.evaluate import evaluate
from tfxfer.cli import app
from tfxfer.config.recipes import changed_to_toml
from tfxfer.errors import RunError, UsageError

# Of classes and of files; a file's name needs an ending, and neither can have a slash.
CLASSES = ['<img src=x onerror=alert(1)>"q", y', "two\nlines", "Bär, 熊 | `x`"]
FILES = ['<b>"x",\ny', "naïve, 'z'", "plain"]


def rename_all(folder):
    """Gives the classes and the files of a folder of pictures names that are hard to write."""
    for split in ("train", "validation", "test"):
        for old, new in zip(sorted((folder / split).iterdir()), CLASSES, strict=True):
            named = old.rename(old.with_name(new))
            for number, file in enumerate(sorted(named.iterdir())):
                file.rename(file.with_name(f"{FILES[number % 3]}{number}.jpg"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "hostile"
    for seed, (split, count) in enumerate({"train": 7, "validation": 3, "test": 5}.items()):
        write_pictures(folder / split, count, seed=seed)
    rename_all(folder)
    return folder


@pytest.fixture(scope="module")
def hostile(folder, weights_file, tmp_path_factory):
    """A run of the head alone on images with hostile names, with its report."""
    directory = tmp_path_factory.mktemp("fitted")
    config = small_config(folder, weights_file, directory, run="first")
    config = config.with_settings({"finetune": {"epochs": 0}})
    trained = trained_alone(config)
    trained.plan.run.asked.write_text(changed_to_toml(config), "utf-8")
    tfxfer.report(trained.plan.run.path)
    return trained.plan.run.path


@pytest.fixture
def browser():
    with open_browser() as opened:
        yield opened


def table_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_fit_ends_with_a_report_and_says_where(finished):
    result, lines = finished
    assert re.search(rf"^report +{re.escape(str(result.run))}/report.html$", "\n".join(lines), re.M)
    for name in ("report.html", "README.md", "evaluation.json", "predictions.csv"):
        assert (result.run / name).is_file()
    assert "report" in result.metrics["seconds"]
    assert (
        result.metrics["seconds"]
        == json.loads((result.run / "metrics.json").read_text())["seconds"]
    )


def test_the_report_of_a_fit_has_the_numbers_that_evaluate_finds(finished):
    result, _ = finished
    told = json.loads((result.run / "evaluation.json").read_text())
    found = evaluate(result.run)
    assert told["split"] == "test"
    assert told["confusion"] == found.confusion.tolist()
    assert told["loss"] == pytest.approx(found.loss, abs=1e-5)
    assert [one["name"] for one in told["classes"]] == ["blue", "green", "red"]


def test_what_was_said_of_each_image_is_in_a_table(hostile, folder):
    told = json.loads((hostile / "evaluation.json").read_text())
    assert [one["name"] for one in told["classes"]] == sorted(CLASSES)
    rows = table_of(hostile / "predictions.csv")
    files = [file for name in CLASSES for file in (folder / "test" / name).iterdir()]
    assert {row["image"] for row in rows} == {str(file) for file in files}
    for row in rows:
        assert f"/test/{row['label']}/" in row["image"]
    accuracy = np.mean([row["label"] == row["predicted"] for row in rows])
    assert accuracy == pytest.approx(told["accuracy"])
    classifier = tfxfer.load(hostile)
    probabilities = classifier.predict([row["image"] for row in rows])
    np.testing.assert_allclose(
        [float(row["confidence"]) for row in rows], probabilities.max(axis=1), atol=2e-5
    )
    names = [classifier.class_names[index] for index in probabilities.argmax(axis=1)]
    assert [row["predicted"] for row in rows] == names


def test_the_page_shows_hostile_names_as_they_are(hostile, browser):
    for width in (390, 1400):
        with open_page(browser, hostile / "report.html", width=width) as (shown, seen):
            heads = shown.eval_on_selector_all(
                "#matrix tbody th", "all => all.map(one => one.textContent)"
            )
            assert heads == sorted(CLASSES)
            asked = shown.locator("#setup ~ pre").first.text_content()
            assert asked.startswith("tfxfer fit --data ")
            assert "--finetune-epochs 0" in asked
            assert seen.is_clean, seen


def test_the_report_is_written_again_from_the_model_and_the_data(finished, tmp_path):
    result, _ = finished
    run = tmp_path / "copy"
    shutil.copytree(result.run, run)
    before = {name: (run / name).read_text() for name in ("predictions.csv", "README.md")}
    for name in ("report.html", "evaluation.json", *before):
        (run / name).unlink()
    done = CliRunner().invoke(app.main, ["report", str(run)])
    assert (done.exit_code, done.output) == (0, f"Wrote '{run / 'report.html'}'.\n")
    rows, old = table_of(run / "predictions.csv"), before["predictions.csv"]
    assert [row["image"] for row in rows] == [
        row["image"] for row in csv.DictReader(old.splitlines(keepends=True))
    ]
    assert len((run / "README.md").read_text()) == pytest.approx(
        len(before["README.md"]),
        abs=20,  # it tells durations
    )


def test_the_page_goes_where_one_wants_it(finished, tmp_path):
    result, _ = finished
    page = tmp_path / "page.html"
    assert tfxfer.report(result.run, output=page) == page
    assert page.read_text("utf-8").startswith("<!doctype html>")
    missing = tmp_path / "missing" / "page.html"
    before = (result.run / "evaluation.json").stat().st_mtime_ns
    done = CliRunner().invoke(app.main, ["report", str(result.run), "--output", str(missing)])
    assert done.exit_code == 2
    assert "there is no directory" in done.output
    assert (result.run / "evaluation.json").stat().st_mtime_ns == before  # nothing was done yet


def test_a_page_that_goes_elsewhere_leaves_the_run_as_it_is(finished, pictures, tmp_path):
    result, _ = finished
    before = {path: path.stat().st_mtime_ns for path in result.run.rglob("*")}
    moved = shutil.copytree(pictures, tmp_path / "moved")
    page = tmp_path / "page.html"
    arguments = ["report", str(result.run), "--output", str(page), "--data", str(moved)]
    done = CliRunner().invoke(app.main, arguments)
    assert done.exit_code == 0
    assert f"'{result.run}'" in done.output
    assert "evaluation.json, predictions.csv, README.md are unchanged" in done.output
    assert f"Wrote '{page}'.\n" in done.output
    assert page.is_file()
    assert before == {path: path.stat().st_mtime_ns for path in result.run.rglob("*")}


@pytest.mark.parametrize("name", ["model.keras", "metrics.json", "history.csv", "config.toml"])
def test_a_page_does_not_replace_what_a_run_is_made_of(name, finished, tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    for copy in (run, other):
        shutil.copytree(finished[0].run, copy)
    before = (run / name).read_bytes()
    for runs in ([run], [run, other]):
        with pytest.raises(UsageError, match=r"Cannot write .*--output"):
            tfxfer.report(*runs, output=run / name)
    assert (run / name).read_bytes() == before


def test_data_for_several_runs_are_refused(finished, pictures):
    result, _ = finished
    with pytest.raises(UsageError, match="--data and --data-dir"):
        tfxfer.report(result.run, result.run, data=str(pictures))


@pytest.mark.slow
def test_several_runs_are_shown_side_by_side(hostile, folder, weights_file, browser, tmp_path):
    config = small_config(folder, weights_file, tmp_path, run="second", batch_size=4)
    second = tfxfer.fit(config, finetune={"epochs": 2}, say=lambda _: None)
    (second.run / "evaluation.json").unlink()  # a run of before there were reports
    page = tmp_path / "both.html"
    arguments = ["report", str(hostile), str(second.run), "--output", str(page)]
    done = CliRunner().invoke(app.main, arguments)
    assert (done.exit_code, done.output) == (0, f"Wrote '{page}'.\n")
    for width, scheme in ((390, "dark"), (1400, "light")):
        with open_page(browser, page, width=width, scheme=scheme) as (shown, seen):
            heads = shown.eval_on_selector_all(
                "#scores thead th", "all => all.map(one => one.textContent)"
            )
            assert heads == ["first", "second"]
            settings = shown.eval_on_selector_all(
                "#settings + .wide tbody tr",
                "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))",
            )
            assert ["batch_size", "8", "4"] in settings
            assert ["finetune.epochs", "0", "2"] in settings
            classes = shown.eval_on_selector_all(
                "#classes tbody tr td:first-child", "all => all.map(one => one.textContent)"
            )
            assert classes == sorted(CLASSES)
            assert shown.evaluate("document.documentElement.scrollWidth") == width
            assert seen.is_clean, seen


def test_what_is_no_finished_run_is_refused(finished, tmp_path):
    with pytest.raises(UsageError, match="No run was named"):
        tfxfer.report()
    with pytest.raises(UsageError, match=r"not a run.*'config.toml'"):
        tfxfer.report(tmp_path)
    result, _ = finished
    run = tmp_path / "unfinished"
    shutil.copytree(result.run, run)
    (run / "model.keras").unlink()
    with pytest.raises(UsageError, match=r"did not finish.*'model.keras'"):
        tfxfer.report(run)


def test_without_its_data_a_report_cannot_be_written_and_the_old_one_stays(
    finished, pictures, tmp_path
):
    result, _ = finished
    run = tmp_path / "moved"
    shutil.copytree(result.run, run)
    splits = (run / "splits.csv").read_text()
    (run / "splits.csv").write_text(splits.replace(f"/{pictures.name}/", "/gone/"))
    page = (run / "report.html").read_bytes()
    done = CliRunner().invoke(app.main, ["report", str(run)])
    assert done.exit_code in (1, 2)
    assert done.output.startswith("Error: ")
    assert "gone" in done.output
    assert (run / "report.html").read_bytes() == page


def test_a_page_that_cannot_be_written_names_the_option(finished, tmp_path):
    result, _ = finished
    for output, reason in {
        tmp_path / "none" / "x.html": f"no directory '{tmp_path}/none'",
        tmp_path: "is a directory",
    }.items():
        done = CliRunner().invoke(app.main, ["report", str(result.run), "--output", str(output)])
        assert done.exit_code == 2
        assert done.output.startswith("Error: ")
        assert done.output.count("\n") == 1
        for part in (f"'{output}'", reason, "--output"):
            assert part in done.output


@pytest.mark.slow
def test_a_report_that_cannot_be_written_at_the_end_gives_one_line(finished, pictures, tmp_path):
    result, _ = finished
    with pytest.raises(RunError, match=r"'/dev/full': No space left on device\.$"):
        tfxfer.report(result.run, output="/dev/full", say=[].append)
    (tmp_path / "pages").mkdir()

    def lose_the_directory(_):
        shutil.rmtree(tmp_path / "pages", ignore_errors=True)

    with pytest.raises(UsageError, match=r"x\.html'.* no directory '.*pages'"):
        tfxfer.report(
            result.run,
            output=tmp_path / "pages" / "x.html",
            data=str(pictures),  # of which something is said
            say=lose_the_directory,
        )
