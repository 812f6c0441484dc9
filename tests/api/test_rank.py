"""`rank` from Python and from the command line."""

import json
import signal

import pytest
from command_line import run, run_apart
from conftest import write_pictures
from ranked import Passes, register

import tfxfer
from tfxfer.api.rank import rank
from tfxfer.errors import InterruptionError, UsageError


@pytest.fixture(autouse=True)
def _weights(tmp_path, monkeypatch, weights_file):
    register(monkeypatch, tmp_path / "home", weights_file)
    monkeypatch.chdir(tmp_path)


def small(data, *names, **settings):
    lines = []
    settings = {"image_size": 32, "cache_dir": "cache", "say": lines.append} | settings
    return rank(*names, data=str(data), **settings), "\n".join(lines)


@pytest.mark.slow
def test_the_command_writes_table_json_and_page(pictures, tmp_path):
    result = run(
        *("rank", "--data", pictures, "small_a", "small_b", "vgg16", "--image-size", 32),
        *("--cache-dir", "cache", "--json", "ranking.json", "--output", "ranking.html"),
    )
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "ranking.json").read_text())
    names = [one["backbone"] for one in content["backbones"]]
    assert sorted(names) == ["small_a", "small_b"]
    assert content["recommendation"] in result.output
    assert content["skipped"] == [{"backbone": "vgg16", "reason": "weights not available locally"}]
    lines = result.output.splitlines()
    assert any("95% interval" in line and "ms/image" in line for line in lines)
    assert "Wrote 'ranking.html'." in lines
    page = (tmp_path / "ranking.html").read_text()
    assert "<svg" in page
    assert names[0] in page


@pytest.mark.slow
def test_the_json_alone_goes_to_standard_output(pictures):
    result = run(
        *("rank", "--data", pictures, "small_a", "--image-size", 32, "--json", "-"),
        *("--cache-dir", "cache"),
    )
    assert json.loads(result.stdout)["backbones"][0]["backbone"] == "small_a"
    assert "small_a: accuracy" in result.stderr


@pytest.mark.slow
def test_the_verb_returns_the_ranking_and_writes_nothing(pictures, tmp_path):
    ranking, said = small(pictures, "small_a")
    assert ranking.best.backbone == "small_a"
    assert ranking.best.backbone in ranking.describe()
    assert "data" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "home"]


@pytest.mark.slow
def test_an_interruption_says_how_to_resume(pictures, monkeypatch):
    passes = Passes(monkeypatch)

    def interrupting(line):
        if line.startswith("small_a"):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(InterruptionError, match="Repeat the command to resume"):
        small(pictures, "small_a", "small_b", say=interrupting)
    assert passes.since() == 30
    small(pictures, "small_a", "small_b")
    assert passes.since() == 30


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bogus": 1}, "Unknown setting 'bogus'"),
        ({"batchsize": 1}, "Did you mean 'batch_size'"),
        ({"runs_dir": "x"}, "'runs_dir' has no effect on a ranking.*image_size"),
        ({"image_size": 0}, "'image_size' is 0"),
        ({"max_parameters": 0}, "--max-parameters"),
        ({"output": "home"}, "Cannot write 'home'"),
    ],
)
def test_wrong_settings_are_one_clear_line(pictures, settings, message):
    with pytest.raises(UsageError, match=message):
        small(pictures, "small_a", **settings)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--data", "digits", "resnet5"], ["Unknown backbone 'resnet5'", "resnet50"]),
        (["--data", "digits", "vgg16"], ["vgg16", "not available locally", "tfxfer backbones"]),
        (["--data", "digits", "vgg16", "--all"], ["--all"]),
        (["small_a"], ["--data"]),
        (["--data", "nowhere", "small_a"], ["nowhere"]),
    ],
)
def test_errors_of_the_command_are_one_line(arguments, parts):
    result = run("rank", *arguments)
    assert result.exit_code == 2
    (line,) = result.stderr.strip().splitlines()
    assert all(part in line for part in parts)


def test_wrong_names_are_found_before_tensorflow_is_imported():
    arguments = ["rank", "--data", "digits", "resnet5"]
    code = f"from tfxfer.cli import main\ntry: main({arguments!r})\nexcept SystemExit: pass"
    assert run_apart(code) == "[]"


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_images_are_one_clear_line(tmp_path, count):
    folder = write_pictures(tmp_path / "few", count)
    (folder / "red").rename(tmp_path / "away")  # two classes
    result = run("rank", "--data", folder, "small_a", "--image-size", 32)
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1


def test_rank_is_a_verb_of_the_package():
    assert tfxfer.rank is rank
