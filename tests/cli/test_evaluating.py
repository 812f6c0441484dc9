"""What `evaluate` prints, and where `--json` may go."""

import shutil

import pytest
from command_line import run

from tfxfer.api.evaluate import evaluate
from tfxfer.errors import RunError


def test_evaluate_prints_what_the_split_scores(finished):
    done, _ = finished
    result = run("evaluate", done.run)
    score = done.metrics["test"]
    assert result.exit_code == 0
    assert result.output.splitlines()[0].endswith(" test, 12 images")
    assert f"  accuracy          {score['accuracy']:.4f}  (" in result.output
    assert f"  log loss          {score['loss']:.4f}  (" in result.output
    result = run("evaluate", done.run / "none")
    assert result.exit_code == 2


def test_evaluate_prints_the_balanced_accuracy_of_imbalanced_classes(finished, pictures, tmp_path):
    done, _ = finished
    folder = shutil.copytree(pictures, tmp_path / "data")
    for number in range(3):
        (folder / "test" / "red" / f"{number}.jpg").unlink()
    result = run("evaluate", done.run, "--data", folder)
    score = evaluate(done.run, data=str(folder))
    assert f"  balanced accuracy {score.balanced_accuracy:.4f}  (" in result.output
    assert "test, 9 images" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "none", "--json", "nodir/x.json"], "there is no directory 'nodir'"),
        (["evaluate", "none", "--json", "."], "it is a directory"),
        (["evaluate", "m.keras", "--json", "m.keras"], "is an input file"),
        (["check", "list.csv", "--json", "list.csv"], "is an input file"),
        (["check", "digits", "--json", "m.keras/x.json"], "'m.keras' is not a directory"),
        (["predict", "none", "a.jpg", "--output", "nodir/x.csv"], "there is no directory 'nodir'"),
        (["predict", "none", "a.jpg", "--output", "a.jpg"], "is an input file"),
        (["predict", "none", "-", "--output", "new/"], "it is a directory"),
    ],
)
def test_an_invalid_output_is_refused_before_any_work(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("m.keras", "list.csv", "a.jpg"):
        (tmp_path / name).touch()
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert all(path.stat().st_size == 0 for path in tmp_path.iterdir())


def test_a_result_that_cannot_be_written_is_printed(tmp_path):
    from tfxfer.cli.evaluating import _print_result

    for place, reason in (
        (tmp_path / "gone" / "x.json", "no directory"),
        ("/dev/full", "No space"),
    ):
        with pytest.raises(RunError, match=reason) as caught:
            _print_result("text", {"class": "кот"}, str(place))
        assert "printed instead" in str(caught.value)
        assert caught.value.exit_code == 1
