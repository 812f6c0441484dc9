"""Kills one of several processes that train together, at random moments, and resumes the run.

    python benchmarks/kill_processes.py --kills 10

Needs JAX. Each chain is one run that is killed in each part of it: while the processes start, while
features are computed, as the phases change, while the network is fine-tuned, while the model is
evaluated and exported. Which process is killed, and when, is random. The others must end within a
minute with a message that names it; in the end the run must have the bits of an undisturbed one.
"""

import argparse
import pathlib
import random
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests"))

import killing
import measuring
import together

_FIT = [
    *("fit", "--backbone", "resnet10_small", "--data", "digits", "--train-examples", "400"),
    *("--checkpoint-minutes", "0.003", "--batch-size", "16", "--effort", "quick"),
    *("--finetune-epochs", "3", "--class-weights", "balanced"),
]

# Longer than a process needs to start on a busy machine.
_COORDINATOR_SECONDS = 60

# What the first process has said when a part of the run begins, and its length in seconds.
PARTS = {
    "while they start": ("", 30),
    "while features are computed": ("results  ", 8),
    "as the phases change": ("head: chose", 3),
    "while it is fine-tuned": ("finetune: ", 40),
    "while it is evaluated and exported": ("epoch 3/3", 25),
}


def commands(place, count):
    """Returns the command of each process."""
    port = together.free_port()
    words = killing.command(place, _FIT)[1:]
    return [
        [
            *words,
            *("--distributed", "--coordinator", f"127.0.0.1:{port}", "--num-processes", count),
            *("--process-id", number, "--coordinator-seconds", _COORDINATOR_SECONDS),
        ]
        for number in range(count)
    ]


def started(place, count):
    """Starts the processes, whose output is in new files; a context."""
    place.folder.mkdir(parents=True, exist_ok=True)
    for said in place.folder.glob("said*"):
        said.unlink()
    return together.together(commands(place, count), place.folder, PYTHONUNBUFFERED="1")


def said(place, number):
    return (place.folder / f"said{number}").read_text()


def finish(place, count):
    """Lets all processes end, and returns the seconds."""
    start = time.monotonic()
    with started(place, count) as processes:
        codes = [process.wait(timeout=1200) for process in processes]
    if codes != [0] * count:
        raise RuntimeError(f"exit codes {codes}:\n{said(place, 0)[-3000:]}")
    return time.monotonic() - start


def kill(place, count, part, seconds, victim):
    """Kills a process, and returns what the others did; None if the run ended before.

    Args:
        place: Of the run.
        count: Number of processes.
        part: Of `PARTS`.
        seconds: After its beginning.
        victim: Number of the process.
    """
    text, _ = PARTS[part]
    with started(place, count) as processes:
        while text not in said(place, 0):
            if any(process.poll() is not None for process in processes):
                [process.wait(timeout=1200) for process in processes]
                return None
            time.sleep(0.01)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if all(process.poll() is not None for process in processes):
                return None
            time.sleep(0.01)
        had_joined = "process" in said(place, 1) or "data  " in said(place, 0)
        processes[victim].send_signal(signal.SIGKILL)
        start = time.monotonic()
        others = [number for number in range(count) if number != victim]
        codes = [processes[number].wait(timeout=600) for number in others]
        took = time.monotonic() - start
    lines = [(said(place, number).strip().splitlines() or [""])[-1] for number in others]
    name = f"Process {victim} of {count} (pid {processes[victim].pid} on"
    return {
        "part": part,
        "seconds": round(seconds, 2),
        "victim": victim,
        "had_joined": had_joined,
        "others_took_seconds": round(took, 1),
        "codes": codes,
        "named": all(name in line for line in lines),
        "last_lines": lines,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    generator = random.Random(options.seed)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kills-"))
    whole = killing.Place(folder / "whole")
    print(f"uninterrupted: {finish(whole, options.processes):.0f} s", flush=True)
    expected, rows, chains = killing.outcome(whole), [], 0
    while len(rows) < options.kills:
        place = killing.Place(folder / f"killed-{chains}")
        for part, (_, length) in PARTS.items():
            victim, seconds = generator.randrange(options.processes), generator.uniform(0, length)
            row = None
            if len(rows) < options.kills and not killing.is_finished(place):
                row = kill(place, options.processes, part, seconds, victim)
            if row is not None:
                rows.append({**row, "chain": chains})
                print(row, flush=True)
        if not killing.is_finished(place):
            finish(place, options.processes)
        differing = killing.differences(expected, killing.outcome(place))
        left = killing.leftovers(place)
        print(f"chain {chains}: differs {differing or 'nowhere'}, left {left}", flush=True)
        for row in rows:
            if row["chain"] == chains:
                row["differs"] = differing
        chains += 1
    slow = [row for row in rows if row["others_took_seconds"] > 60]
    unnamed = [row for row in rows if not row["named"]]
    print(
        f"{len(rows)} kills of {chains} runs; slower than a minute: {len(slow)}, not named: "
        f"{len(unnamed)}, with other bits: {sum(bool(row['differs']) for row in rows)}"
    )
    measuring.write_json(options.json, **measuring.facts(), kills=rows)


if __name__ == "__main__":
    main()
