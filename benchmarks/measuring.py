"""Shared by the benchmarks: running commands, facts about the machine, medians, tables, JSON.

Linux only: start time and memory of a process come from the kernel. Standard library only: the
recipes that tfxfer is compared with also run without tfxfer.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HERE = pathlib.Path(__file__).parent
# The installed command, next to the interpreter of the benchmark.
TFXFER = str(pathlib.Path(sys.executable).with_name("tfxfer"))

# By column and row of a table, the value of each repeat; None if there is none.
Columns = Mapping[str, Mapping[str, Sequence[float | None]]]


@dataclass(frozen=True)
class Finished:
    """A command that has finished.

    Attributes:
        seconds: Wall time.
        cpu_seconds: CPU time of all cores; other load on the machine affects it less.
        peak_megabytes: Peak resident memory in units of 1e6 bytes; at least that of the parent
            process, about 20.
        lines: Standard output: the second and the text of each line.
    """

    seconds: float
    cpu_seconds: float
    peak_megabytes: float
    lines: list[tuple[float, str]]

    def totals(self) -> dict:
        """Returns the figures that are recorded of every command."""
        return {
            "wall_seconds": round(self.seconds, 2),
            "cpu_seconds": round(self.cpu_seconds, 2),
            "peak_megabytes": round(self.peak_megabytes, 1),
        }


def run(command: Sequence[str | os.PathLike]) -> Finished:
    """Runs a command; if it fails, exits with the last lines of its standard error."""
    command = [str(word) for word in command]
    # Installed packages have bytecode; some shells keep Python from writing it.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        )
        lines = [(time.perf_counter() - start, line.rstrip("\n")) for line in process.stdout]
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            words = "\n".join(errors.read().splitlines()[-20:])
            raise SystemExit(f"{words}\nFailed ({process.returncode}): {' '.join(command)}")
    megabytes = usage.ru_maxrss * 1024 / 1e6  # getrusage(2): KiB
    return Finished(seconds, usage.ru_utime + usage.ru_stime, megabytes, lines)


def in_turn(ways: Sequence[str], repeats: int) -> list[dict[str, dict]]:
    """Runs this program for each variant in alternation, and returns the results of each repeat.

    Each run gets `--way` with the name of the variant, and prints JSON on its last line.
    """
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    found = []
    for _ in range(repeats):
        run = {}
        for way in ways:
            command = [sys.executable, *sys.argv, "--way", way]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
            run[way] = json.loads(done.stdout.splitlines()[-1])
            print(f"{way}: {run[way]}", flush=True)
        found.append(run)
    return found


def since_start() -> float:
    """Returns the seconds since the operating system started this process."""
    stat = pathlib.Path("/proc/self/stat").read_text()
    ticks = int(stat.rpartition(")")[2].split()[19])  # proc(5): (22) starttime
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def gpus() -> list[str]:
    """Returns the names of the NVIDIA GPUs of this machine, used or not."""
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):  # no driver, or no GPU
        return []


def facts() -> dict:
    """Returns the name of the benchmark, date, machine, and versions of packages."""
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    packages = ("tensorflow", "keras", "tfxfer")
    return {
        "benchmark": pathlib.Path(sys.argv[0]).stem,
        "date": datetime.date.today().isoformat(),
        "cpu": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "gpus": gpus(),
        "load_before": round(os.getloadavg()[0], 2),
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in packages},
    }


def spread(values: Sequence[float | None], digits: int = 1) -> str:
    """Returns median and range, as "5.0 (4.1 to 6.2)"; None is ignored, and counted."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    middle, low, high = (f"{f(known):,.{digits}f}" for f in (statistics.median, min, max))
    text = f"{middle} ({low} to {high})" if len(known) > 1 else middle
    return text if len(known) == len(values) else f"{text}, {len(known)} of {len(values)} times"


def print_table(columns: Columns, digits: Mapping[str, int]) -> None:
    """Prints the median and range of each row, with one decimal unless `digits` says otherwise."""
    names = next(iter(columns.values()))
    lines = [["", *columns]]
    for name in names:
        cells = (spread(column[name], digits.get(name, 1)) for column in columns.values())
        lines.append([name, *cells])
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    print()
    for line in lines:
        print("  ".join(map(str.ljust, line, widths)).rstrip())


def medians(columns: Columns) -> dict[str, dict[str, float]]:
    """Returns the medians, without None."""
    known = {
        title: {name: [v for v in values if v is not None] for name, values in column.items()}
        for title, column in columns.items()
    }
    return {
        title: {name.strip(): round(statistics.median(v), 4) for name, v in column.items() if v}
        for title, column in known.items()
    }


def command_line(description: str, repeats: int) -> argparse.ArgumentParser:
    """Returns a parser with the options that all benchmarks have."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=repeats, help=f"[default: {repeats}]")
    parser.add_argument(
        "--json", type=pathlib.Path, metavar="FILE", help="Write the repeats to FILE."
    )
    return parser


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options on data and backbone."""
    parser.add_argument("data")
    parser.add_argument("--backbone", default="mobilenetv2")
    parser.add_argument("--weights")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--train-examples", type=int)


def data_settings(options: argparse.Namespace) -> dict:
    """Returns the settings of a fit from the options of `add_data_options`."""
    names = ("data", "backbone", "weights", "image_size", "train_examples")
    return {name: getattr(options, name) for name in names}


def finish(
    options: argparse.Namespace,
    facts: Mapping[str, object],
    columns: Columns,
    digits: Mapping[str, int],
    repeats: Sequence[object],
) -> None:
    """Prints the table of a benchmark, and writes its JSON."""
    print_table(columns, digits)
    write_json(
        options.json,
        **facts,
        settings=chosen(options),
        medians=medians(columns),
        repeats=repeats,
    )


def chosen(options: argparse.Namespace) -> dict[str, str]:
    """Returns the options of a benchmark for its JSON; paths without their folder."""
    return {
        name: pathlib.Path(str(value)).name
        for name, value in vars(options).items()
        if value is not None and name != "json"
    }


def write_json(path: pathlib.Path | None, **parts: object) -> None:
    """Writes the results of a benchmark as JSON, if there is a path."""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(parts, indent=2) + "\n")
