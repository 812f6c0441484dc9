"""What `predict` prints and writes."""

import csv
import json
import re

from click.testing import CliRunner
from command_line import run

from tfxfer.cli.app import main


def test_predict_prints_a_line_for_each_file_and_reports_those_it_cannot_read(
    finished, pictures, tmp_path
):
    done, _ = finished
    good, bad = pictures / "test" / "red" / "0.jpg", tmp_path / "bad.jpg"
    bad.write_text("no image")
    result = run("predict", done.run, good, bad, "--top", 2)
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if line.startswith(str(good))]
    assert len(line.split()) == 1 + 2 * 2
    assert f"Error: {bad}: " in result.stderr
    assert re.search(r"\b1 of .*\b2 files", result.stderr)


def test_predict_takes_a_list_and_writes_what_machines_read(finished, pictures, tmp_path):
    done, _ = finished
    files = [pictures / "test" / name / "0.jpg" for name in ("red", "blue")]
    arguments = ["predict", str(done.export), "-", str(files[0]), "--top", "2"]
    listed = f"{files[1]}\n{tmp_path}/none.jpg\n"
    output = tmp_path / "found.csv"
    result = CliRunner().invoke(
        main, [*arguments, "--format", "csv", "--output", str(output)], input=listed
    )
    assert result.exit_code == 1
    assert f"Wrote '{output}', 3 files." in result.stdout
    assert f"Error: {tmp_path}/none.jpg: " in result.stderr
    assert re.search(r"^Error: 1 of .*\b3 files", result.stderr, re.MULTILINE)
    with output.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [*map(str, files), f"{tmp_path}/none.jpg"]
    assert rows[0]["label_2"]
    result = CliRunner().invoke(main, [*arguments, "--format", "jsonl"], input="")
    (line,) = result.stdout.splitlines()
    assert json.loads(line)["path"] == str(files[0])
    result = CliRunner().invoke(main, [*arguments, "--format", "parquet"], input="")
    assert result.exit_code == 2
    assert "'parquet'" in result.output
    assert "--output" in result.output


def test_shards_are_written_and_their_options_need_a_directory(finished, pictures, tmp_path):
    done, _ = finished
    given = ["predict", done.run, pictures / "test", "--shards", tmp_path / "out"]
    result = run(*given, "--shard-size", 9)
    assert result.exit_code == 0, result.stderr
    assert len(list((tmp_path / "out").glob("part-*.parquet"))) == int(
        re.search(r"Wrote (\d+) shards", result.stdout)[1]
    )
    for wrong, told in (
        ([*given[:3], "--workers", 2], "--workers is for --shards"),
        ([*given, "--format", "csv"], "--format"),
        ([*given, "--output", "x.csv"], "--output"),
        ([*given, "--address", "auto"], "--engine ray"),
    ):
        result = run(*wrong)
        assert result.exit_code == 2
        assert told in result.stderr
