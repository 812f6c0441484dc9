"""Which way to fine-tune does best on which data: a grid of fits, its table, and its lessons.

    python benchmarks/recipes.py run
    python benchmarks/recipes.py table
    python benchmarks/recipes.py simulate
    python benchmarks/recipes.py efforts

`run` fits what is missing in `recipes.json`, cell by cell, the most informative first, and can be
interrupted: what is finished is kept. It takes hours. `TFXFER_REAL_DATA`, `TFDS_DATA_DIR` and
`KERAS_HOME` say where images and weights are; `--only` takes a part of the cells.

`table`, `simulate` and `efforts` read it; see `recipe_tables.py` and
`recipe_simulation.py`.
"""

import argparse
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile

import measuring
import recipe_simulation
import recipe_tables
from measuring import HERE
from recipe_cells import ROUNDS, WAYS

FIGURES = HERE / "recipes.json"

# In the order in which they run: the cheap first.
FOLDERS = ("hymenoptera", "magnetic_tiles", "flowers5_small", "brain_mri")

# Groups of cells that share a process, in the order in which they run.
Group = tuple[str, str, int, tuple[str, ...]]


def groups(large: bool) -> list[Group]:
    """Returns all cells, as groups of dataset, backbone, seed and ways."""
    cheap = [(data, "mobilenetv2_035") for data in FOLDERS]
    cheap += [("cifar10_500", "mobilenetv2"), ("digits", "resnet10_small")]
    dear = [(data, "mobilenetv2") for data in (*FOLDERS, "digits")]
    dear += [("cifar10_500", "resnet10_small")]
    dear += [(data, "mobilenetv2_035") for data in ("digits", "cifar10_500")]
    dear += [("cifar10_2000", backbone) for backbone in ("resnet10_small", "mobilenetv2")]
    if large:
        dear += [("cifar10_10000", name) for name in ("resnet10_small", "mobilenetv2")]
    order = itertools.product((0, 1, 2), (cheap, dear), ROUNDS)
    return [(*pair, seed, tuple(ways)) for seed, pairs, ways in order for pair in pairs]


def read() -> dict:
    """Returns the figures so far."""
    if not FIGURES.is_file():
        return {"facts": measuring.facts(), "cells": {}}
    return json.loads(FIGURES.read_text())


def write(figures: dict) -> None:
    """Writes the figures whole, a line for each cell."""
    cells = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in figures["cells"].items())
    text = f'{{"facts": {json.dumps(figures["facts"])},\n"cells": {{\n{cells}\n}}}}\n'
    with tempfile.NamedTemporaryFile("w", dir=HERE, delete=False) as file:
        file.write(text)
    os.replace(file.name, FIGURES)


def run(options: argparse.Namespace) -> None:
    """Fits what is missing, group by group, each in a process of its own."""
    figures = read()
    for data, backbone, seed, ways in groups(options.large):
        names = [f"{data}/{backbone}/{way}/{seed}" for way in ways]
        missing = [
            name for name in names if name not in figures["cells"] and re.search(options.only, name)
        ]
        if missing:
            _fit(missing, figures)


def _fit(names: list[str], figures: dict) -> None:
    """Fits cells in a process, and writes down each as it is finished."""
    command = [sys.executable, str(HERE / "recipe_cells.py"), *names]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            found = json.loads(line)
            name = found.pop("cell")
            figures["cells"][name] = found
            write(figures)
            judged = found.get("test", found.get("validation", {}))
            print(f"{name}: {judged}, {found['cpu_seconds']} CPU seconds", flush=True)
    if process.returncode:
        raise SystemExit(f"Failed ({process.returncode}): {' '.join(command)}")


def show(options: argparse.Namespace) -> None:
    """Prints what the figures say of the instances of which all these ways have run."""
    ways = tuple(WAYS)[: options.ways]
    every = recipe_tables.instances(read()["cells"], ways, options.on_validation)
    every = [one for one in every if options.backbone in ("", one.backbone)]
    if not every:
        raise SystemExit(f"No dataset has all of the first {len(ways)} ways yet. Lower --ways.")
    options.print_them(every, ways)


def show_efforts(options: argparse.Namespace) -> None:
    """Prints how `quick` and `standard` do on each instance of which both have run."""
    cells, needed = read()["cells"], (*recipe_tables.EFFORTS, "head")
    recipe_tables.efforts(
        recipe_tables.instances(cells, tuple(WAYS), options.on_validation, needed)
    )


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    running = commands.add_parser("run", help="Fit what is missing.")
    running.add_argument("--only", default="", metavar="REGEX", help="Cells whose name has it.")
    running.add_argument("--large", action="store_true", help="10,000 images of CIFAR-10, too.")
    running.set_defaults(do=run)
    for name, print_them in (
        ("table", recipe_tables.tables),
        ("simulate", recipe_simulation.simulate),
    ):
        reading = commands.add_parser(name, help="Read the figures so far.")
        reading.add_argument("--backbone", default="", help="Only of this one.")
        reading.add_argument(
            "--ways", type=int, default=13, metavar="N", help="The first so many.  [default: 13]"
        )
        reading.add_argument("--on-validation", action="store_true", help="Not on test.")
        reading.set_defaults(do=show, print_them=print_them)
    comparing = commands.add_parser("efforts", help="What quick and standard lose.")
    comparing.add_argument("--on-validation", action="store_true", help="Not on test.")
    comparing.set_defaults(do=show_efforts)
    options = parser.parse_args()
    options.do(options)


if __name__ == "__main__":
    main()
