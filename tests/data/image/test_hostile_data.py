"""Corrupt and hostile files through the commands: each is named, nothing else happens."""

import json
import re
import resource

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from conftest import file_of, scene

from tfxfer.cli.app import main
from tfxfer.data.image.decoding import decode
from tfxfer.data.image.formats.recognition import EXTENSIONS


def small(seed, kind):
    return file_of(scene(seed, (50, 40)), kind)


KINDS = {".jpg": "JPEG", ".png": "PNG", ".gif": "GIF", ".bmp": "BMP", ".webp": "WebP"}

# Where each format states its size: the byte, and how many bytes for each side.
SIZES = {".jpg": (163, 2), ".png": (16, 4), ".gif": (6, 2), ".bmp": (18, 4), ".webp": (26, 2)}


def mutated(generator, extension, content):
    """Returns a file's content after something happened to it, and what its name ends with."""
    content = bytearray(content)
    what = generator.integers(6)
    if what == 0:
        del content[generator.integers(len(content)) :]
    elif what == 1:
        for _ in range(generator.integers(1, 20)):
            content[generator.integers(len(content))] ^= 1 << generator.integers(8)
    elif what == 2:
        content = bytearray()
    elif what == 3:
        extension = EXTENSIONS[generator.integers(len(EXTENSIONS))]
    elif what == 4:
        start, size = SIZES[extension]
        content[start : start + 2 * size] = generator.bytes(2 * size)
    else:
        start = generator.integers(len(content))
        content[start : start + 50] = generator.bytes(50)
    return bytes(content), extension


def write_mutated(folder, count, seed=0):
    """Writes two classes of mutated files beside three sound ones each."""
    generator = np.random.default_rng(seed)
    originals = {extension: small(1, kind) for extension, kind in KINDS.items()}
    for number in range(count):
        extension = list(KINDS)[number % len(KINDS)]
        content, extension = mutated(generator, extension, originals[extension])
        path = folder / ("one", "two")[number % 2] / f"{number:04}{extension}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for number in range(6):
        name = folder / ("one", "two")[number % 2] / f"sound{number}.png"
        name.write_bytes(small(10 + number, "PNG"))


def unreadable(folder):
    """Returns the names of the files that decoding by itself refuses."""
    names = set()
    for path in folder.rglob("*.*"):
        try:
            decode(tf.constant(path.read_bytes()))
        except tf.errors.OpError:
            names.add(str(path))
    return names


def run(*arguments):
    """Runs a command, which must end as commands do, and returns what it printed."""
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    return done


def check_mutated(folder, finished, count):
    """Asserts that all commands name the same files of many that are mutated."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    write_mutated(folder, count)
    bad = unreadable(folder)
    assert count / 3 < len(bad) < count
    done = run("check", folder, "--json", "-")
    assert done.exit_code == 1
    found = {finding["kind"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert {one.partition(": ")[0] for (one,) in found["unreadable"]["examples"]} == bad
    done = run("predict", finished.run, folder)
    assert done.exit_code == 1
    assert set(re.findall(r"^Error: (/.*?): ", done.stderr, re.MULTILINE)) == bad
    done = run("fit", "--data", folder, "--backbone", "resnet10_small", "--runs-dir", folder)
    assert done.exit_code == 1
    assert f"Cannot read {len(bad):,} images" in done.output
    # An image of the size that some headers state would take 13 GB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_500_000
    return bad


@pytest.mark.slow
def test_mutated_files_are_named_by_every_command(tmp_path, finished):
    check_mutated(tmp_path / "data", finished[0], 100)


@pytest.mark.slow
def test_a_thousand_mutated_files_are_named_and_a_fit_can_leave_them_out(tmp_path, finished):
    bad = check_mutated(tmp_path / "data", finished[0], 1000)
    arguments = (
        "--data",
        tmp_path / "data",
        "--backbone",
        "resnet10_small",
        "--bad-images",
        "skip",
    )
    places = ("--runs-dir", tmp_path / "runs", "--export-dir", tmp_path / "exports", "--run", "it")
    done = run("fit", *arguments, *places, "--finetune-epochs", "0")
    assert done.exit_code == 0
    assert f"left out {len(bad):,} unreadable images: " in done.output
    lines = (tmp_path / "runs" / "it" / "skipped.csv").read_text().splitlines()[1:]
    assert {line.partition(",")[0] for line in lines} == bad


MANIFEST = "path,label,split,weight,group\n" + "".join(
    f"{number}.png,{('cat', 'dog')[number % 2]},{('train', 'val')[number // 6]},1.5,{number}\n"
    for number in range(10)
)
JSON_LINES = "\n".join(
    json.dumps({"path": f"{number}.png", "label": ("cat", "dog")[number % 2], "weight": 1})
    for number in range(10)
)
RECIPE = """data = "DATA"
backbone = "resnet10_small"
seed = 3
class_weights = "balanced"
[head]
epochs = 5
hidden_units = [16]
[augment]
flip = true
"""
PIECES = [b'"', b",", b"\n", b"\0", b"\xff", b"{", b"]", b"=", b"nan", b"-1", b"1e999", b"train"]


def mutated_text(generator, text):
    """Returns a text after a few pieces of it were lost, doubled, changed or put in."""
    content = bytearray(text.encode())
    for _ in range(generator.integers(1, 4)):
        start = generator.integers(len(content) + 1)
        length = generator.integers(1, 30)
        what = generator.integers(4)
        if what == 0:
            del content[start : start + length]
        elif what == 1:
            content[start:start] = content[start : start + length]
        elif what == 2:
            content[start : start + 1] = generator.bytes(1)
        else:
            content[start:start] = PIECES[generator.integers(len(PIECES))]
    return bytes(content)


def check_mutated_texts(folder, count):
    """Asserts that commands end in an orderly way whatever a manifest or a recipe holds."""
    generator = np.random.default_rng(0)
    for number in range(10):
        (folder / f"{number}.png").write_bytes(small(number, "PNG"))
    recipe = RECIPE.replace("DATA", str(folder / "sound.csv"))
    (folder / "sound.csv").write_text(MANIFEST)
    codes = []
    for number in range(count):
        kind, text = [("csv", MANIFEST), ("jsonl", JSON_LINES), ("toml", recipe)][number % 3]
        path = folder / f"mutated.{kind}"
        path.write_bytes(mutated_text(generator, text))
        if kind == "toml":
            done = run("fit", "--config", path, "--dry-run", "--runs-dir", folder / "runs")
        else:
            done = run("check", path)
        codes.append(done.exit_code)
        if done.exit_code == 2:
            assert re.search(r"^Error: .{10,}", done.stderr, re.MULTILINE)
    assert {1, 2} <= set(codes) <= {0, 1, 2}
    assert codes.count(2) > count / 3


def test_mutated_manifests_and_recipes_are_refused_in_a_sentence(tmp_path):
    check_mutated_texts(tmp_path, 12)


@pytest.mark.slow
def test_two_hundred_mutated_manifests_and_recipes_are_refused_in_a_sentence(tmp_path):
    check_mutated_texts(tmp_path, 200)
