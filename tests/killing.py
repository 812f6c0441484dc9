"""Kill a real fit at a chosen moment, resume it, and compare the results.

The moments are told from outside: by the clock, by what the command has printed, by the temporary
files that it is writing. Nothing in tfxfer knows of it.
"""

import csv
import io
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass

import h5py
import numpy as np

_POLL_SECONDS = 0.0005
_LIMIT_SECONDS = 600.0

# Kinds of moments, and the maximum delay in seconds before the process is killed.
MOMENTS = {
    "while features are cached": 0.01,
    "as the phases change": 1.5,
    "while a checkpoint is written": 0.002,
    "at any time": 0.0,  # after so many seconds, which the moment says itself
    "as the weights are final": 0.5,
    "while the export is made": 4.0,
}


@dataclass(frozen=True)
class Place:
    """The directories of one run: runs, exports, cache, and its output."""

    folder: pathlib.Path
    name: str = "killed"

    @property
    def run(self):
        return self.folder / "runs" / self.name

    @property
    def output(self):
        return self.folder / "output.txt"

    def options(self):
        return [
            *("--run", self.name),
            *("--runs-dir", str(self.folder / "runs")),
            *("--cache-dir", str(self.folder / "cache")),
        ]

    def has(self, kind):
        """Tells whether the moment has come."""
        if kind == "while a checkpoint is written":
            return any((self.run / "checkpoints").glob(".*.npz"))
        if kind == "while features are cached":
            return any((self.folder / "cache").glob("features/*/.*"))
        if kind == "as the phases change":
            return "head " in self.output.read_text().partition("\n\n")[2]
        if kind == "as the weights are final":
            return (
                any(self.run.glob(".*.best.weights.h5")) or (self.run / "best.weights.h5").exists()
            )
        return any((self.folder / "exports").glob(".unfinished-*"))


def command(place, arguments):
    """Returns the command of a fit or a pretraining, of which `arguments` are the rest."""
    exports = ["--export-dir", str(place.folder / "exports")] if arguments[0] == "fit" else []
    program = "from tfxfer.cli import main; main()"
    return [sys.executable, "-c", program, *arguments, *place.options(), *exports]


def resume_command(place, verb):
    program = "from tfxfer.cli import main; main()"
    return [sys.executable, "-c", program, verb, "--resume", str(place.run)]


def begin(place, words, environment=None):
    """Starts a command with its output in a file, and returns its process."""
    place.folder.mkdir(parents=True, exist_ok=True)
    with place.output.open("w") as output:
        return subprocess.Popen(
            words,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            # Background processes of a shell, and their children, ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def kill(place, words, kind, seconds, number=signal.SIGKILL):
    """Runs a command until a moment, and tells whether it was killed or had ended before.

    Args:
        place: Of the run.
        words: The command.
        kind: Of `MOMENTS`.
        seconds: After the moment or, at any time, after the start.
        number: The signal.
    """
    # Ignore what killed exports have left: only new files count.
    for left in (place.folder / "exports").glob(".unfinished-*"):
        shutil.rmtree(left)
    process = begin(place, words)
    start = time.monotonic()
    seen = start if kind == "at any time" else None
    while process.poll() is None:
        if seen is None and place.has(kind):
            seen = time.monotonic()
        if seen is not None and time.monotonic() >= seen + seconds:
            process.send_signal(number)
            return process.wait() == -number
        if time.monotonic() > start + _LIMIT_SECONDS:
            process.kill()
            raise TimeoutError(f"{kind}: it never came\n{place.output.read_text()}")
        time.sleep(_POLL_SECONDS)
    return False


def finish(place, words):
    """Runs a command to its end."""
    process = begin(place, words)
    code = process.wait(_LIMIT_SECONDS)
    if code != 0:
        raise RuntimeError(f"exit code {code}:\n{place.output.read_text()}")


def next_command(place, arguments, generator):
    """Returns the same command, or at random `--resume` if the run exists."""
    if (place.run / "config.toml").exists() and generator.random() < 0.5:
        return resume_command(place, arguments[0])
    return command(place, arguments)


def is_finished(place):
    return (place.run / "metrics.json").exists() and not (place.run / "checkpoints").exists()


def outcome(place):
    """Returns everything in a finished run that must not depend on when it was killed."""
    metrics = json.loads((place.run / "metrics.json").read_text())
    for name in ("seconds", "export", "training_seconds"):
        metrics.pop(name, None)
    with (place.run / "history.csv").open() as file:
        history = [{**row, "seconds": ""} for row in csv.DictReader(file)]
    weights = {}
    for name in ("model.keras", "backbone.keras"):
        if (place.run / name).exists():
            with zipfile.ZipFile(place.run / name) as archive:
                weights[name] = _arrays(io.BytesIO(archive.read("model.weights.h5")))
    weights["best"] = _arrays(place.run / "best.weights.h5")
    trials = []
    if (place.run / "trials.csv").exists():
        with (place.run / "trials.csv").open() as file:
            trials = [{**row, "seconds": ""} for row in csv.DictReader(file)]
    return {"metrics": metrics, "history": history, "trials": trials, "weights": weights}


def differences(one, other):
    """Returns the names of the results that are not bit-identical."""
    found = [name for name in ("metrics", "history", "trials") if one[name] != other[name]]
    for name, arrays in one["weights"].items():
        theirs = other["weights"].get(name, {})
        same = arrays.keys() == theirs.keys() and all(
            np.array_equal(array, theirs[key]) for key, array in arrays.items()
        )
        found += [] if same else [name]
    return found


def leftovers(place):
    """Returns the files that a finished run should not have."""
    return [path.name for path in place.run.rglob(".*")]


def chain(place, arguments, moments, seed):
    """Kills and resumes a run at each of the moments, then lets it end; yields the kills.

    Args:
        place: Of the run.
        arguments: Of the command.
        moments: Kinds, and seconds; see `kill`.
        seed: Of what begins the run again.
    """
    generator = random.Random(seed)
    for kind, seconds in moments:
        if is_finished(place):
            return
        yield kind, seconds, kill(place, next_command(place, arguments, generator), kind, seconds)
    if not is_finished(place):
        finish(place, next_command(place, arguments, generator))


def _arrays(file):
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(file) as content:
        content.visititems(visit)
    return found
