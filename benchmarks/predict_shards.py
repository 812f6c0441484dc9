"""`predict --shards` with workers of Ray, compared with one `predict` of the same files.

    python benchmarks/predict_shards.py [--files 20000 --workers 1 2 4]

The files are JPEGs of 64 pixels, resized to the backbone's input. Whole commands, repeat by repeat
in alternation: wall time and the processor seconds of all processes that a command starts, workers
of Ray among them. The rows of all ways must be the same. Needs the extra `ray`.
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import measuring
import numpy as np
import psutil
import pyarrow.parquet
from predict_files import write_files

from tfxfer.config.schema import FitConfig, HeadConfig
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.classifier import build_classifier
from tfxfer.runs.class_names import write_class_names
from tfxfer.system.run_layout import classes_file

_CLASSES = tuple("abcdefghij")
_COMMAND = "from tfxfer.cli import main; import sys; main(sys.argv[1:])"


def save_model(path: pathlib.Path, name: str, size: int) -> None:
    """Saves a model with random weights whose predictions differ."""
    config = FitConfig(image_size=size, input_size=size, precision="float32")
    head = HeadConfig(dropout=0.0)
    classifier = build_classifier(BACKBONES[name], config, head, "none", len(_CLASSES))
    generator = np.random.default_rng(0)
    kernel, bias = classifier.head.get_weights()
    classifier.head.set_weights([generator.normal(size=kernel.shape), bias])
    classifier.with_probabilities().save(path)
    write_class_names(classes_file(path), _CLASSES)


def timed(words: list[str]) -> dict[str, float]:
    """Runs a command; returns its wall time and the processor seconds of it and what it starts."""
    start, seconds = time.perf_counter(), {}
    process = subprocess.Popen([sys.executable, "-c", _COMMAND, *words], stdout=subprocess.DEVNULL)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            try:
                one = psutil.Process(process.pid)
                alive = [one, *one.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            for each in alive:
                try:
                    used = each.cpu_times()
                    seconds[each.pid, each.create_time()] = used.user + used.system
                except psutil.NoSuchProcess:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    wall = time.perf_counter() - start
    ended.set()
    watcher.join()
    if code:
        raise SystemExit(f"Failed ({code}): {' '.join(words)}")
    return {"wall": wall, "cpu": sum(seconds.values())}


def rows(path: pathlib.Path) -> list[tuple]:
    """Returns file, class and probability of each row of Parquet files, sorted."""
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    tables = [pyarrow.parquet.read_table(file) for file in files]
    found = []
    for table in tables:
        names = [name for name in table.column_names if name != "error"]
        found += zip(*(table.column(name).to_pylist() for name in names), strict=True)
    return sorted(found)


def main() -> None:
    """Prints medians and ranges."""
    parser = measuring.command_line(__doc__, repeats=3)
    parser.add_argument("--backbone", default="mobilenet_025")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--shard-size", type=int, default=2_500)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args()
    facts, repeats = measuring.facts(), []
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        write_files(folder / "files", options.files)
        model = folder / "model.keras"
        save_model(model, options.backbone, options.size)
        common = ["predict", str(model), str(folder / "files")]
        for number in range(options.repeats):
            run, expected = {}, None
            one = folder / f"one{number}.parquet"
            ways = {"one predict": ["--format", "parquet", "--output", str(one)]}
            for workers in options.workers:
                shards = folder / f"shards{number}-{workers}"
                ways[f"{workers} workers"] = [
                    *("--shards", str(shards), "--shard-size", str(options.shard_size)),
                    *("--engine", "ray", "--workers", str(workers)),
                ]
            for way, words in ways.items():
                run[way] = timed([*common, *words])
                found = rows(pathlib.Path(words[3] if way == "one predict" else words[1]))
                expected = expected or found
                run[way]["rows"] = len(found)
                run[way]["same"] = float(_same(expected, found))
                print(f"{way}: {run[way]}", flush=True)
            repeats.append(run)
    names = list(repeats[0])
    rates = {name: [options.files / run[name]["wall"] for run in repeats] for name in names}
    columns = {
        "files per second": rates,
        "cpu seconds": {name: [run[name]["cpu"] for run in repeats] for name in names},
        "ratio to one predict": {
            name: [run["one predict"]["wall"] / run[name]["wall"] for run in repeats]
            for name in names
        },
    }
    same = statistics.fmean(run[name]["same"] for run in repeats for name in names)
    print(f"rows that are the same: {same:.0%}")
    measuring.finish(options, facts, columns, dict.fromkeys(names, 2), repeats)


def _same(expected: list[tuple], found: list[tuple]) -> bool:
    """Tells whether rows have the same files and classes, and probabilities up to rounding."""
    return len(expected) == len(found) and all(
        len(one) == len(other)
        and all(
            abs(a - b) < 1e-5 if isinstance(a, float) else a == b
            for a, b in zip(one, other, strict=True)
        )
        for one, other in zip(expected, found, strict=True)
    )


if __name__ == "__main__":
    sys.exit(main())
