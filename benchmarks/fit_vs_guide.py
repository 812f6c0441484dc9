"""`tfxfer fit` compared with the recipe of the Keras guide, as whole processes.

    python benchmarks/fit_vs_guide.py DATA
    python benchmarks/fit_vs_guide.py DATA --backbone resnet50 --weights none --repeats 3 \
        --also-kerashub --kerashub-python kerashub/bin/python

`DATA` has `train/CLASS/` and `val/CLASS/`. Each repeat runs `guide_recipe.py`, then tfxfer with an
empty feature cache and the same number of epochs per phase, each in its own process, with the
number of the repeat as seed. All other settings are the defaults of each. Seconds are those of
whole processes: imports, training and, for tfxfer, the export and its check. Accuracies are on
validation: the last epoch of the guide, the best epoch of tfxfer; "best epoch" is the highest of
each. The time to the guide's final accuracy is read from the epochs: when the guide's ended, and
when tfxfer printed its line.

With `--weights none` only speed is compared: the guide and tfxfer read the same random weights from
a file, as they would read pretrained ones.

KerasHub needs an environment with the same version of TensorFlow:

    python3 -m venv kerashub && kerashub/bin/pip install keras-hub tensorflow==VERSION
"""

import argparse
import importlib.metadata
import json
import pathlib
import re
import sys
import tempfile

import measuring
from measuring import HERE, TFXFER

# The accuracy on validation of a line such as "head 1/5  loss 0.4  ...  val_accuracy 0.95  best".
EPOCH = re.compile(r"(?:head|finetune)\b.*\bval_accuracy (\d\.\d+)")

DIGITS = {
    "wall, speedup of tfxfer": 2,
    "validation accuracy": 3,
    "  best epoch": 3,
    "  speedup of tfxfer": 2,
}

SETTINGS = ("backbone", "weights", "epochs", "augment_each_epoch")


def recipe(options: argparse.Namespace, seed: int, script: str, python: str) -> dict:
    """Runs a script that prints JSON as `guide_recipe.py` does, and returns its figures."""
    command = [python, HERE / script, options.data, "--backbone", options.backbone]
    weights = options.weights_file or options.weights
    command += ["--weights", weights, "--epochs", options.epochs, "--seed", seed]
    command += ["--augment-each-epoch"] if options.augment_each_epoch else []
    finished = measuring.run(command)
    result = json.loads(finished.lines[-1][1])
    accuracy = result["epochs"][-1]["validation_accuracy"]
    return {**finished.totals(), "validation_accuracy": accuracy, **result}


def tfxfer(options: argparse.Namespace, seed: int) -> dict:
    """Runs `tfxfer fit`, and returns its figures in the same form."""
    with tempfile.TemporaryDirectory() as folder:
        command = [TFXFER, "fit", "--backbone", options.backbone, "--data", options.data]
        command += ["--weights", options.weights_file or options.weights]
        command += ["--seed", seed, "--run", "run"]
        command += ["--effort", "quick"]
        command += ["--head-epochs", options.epochs, "--finetune-epochs", options.epochs]
        for kind in ("runs", "export", "cache"):
            command += [f"--{kind}-dir", f"{folder}/{kind}"]
        finished = measuring.run(command)
        metrics = json.loads(pathlib.Path(folder, "runs/run/metrics.json").read_text())
    matches = [(second, EPOCH.match(line)) for second, line in finished.lines]
    return {
        **finished.totals(),
        "validation_accuracy": round(metrics["validation"]["accuracy"], 4),
        "seed": seed,
        "epochs": [
            {"second": round(second, 2), "validation_accuracy": float(match[1])}
            for second, match in matches
            if match
        ],
        "seconds": {part: value for part, value in metrics["seconds"].items() if part != "total"},
    }


def random_weights(backbone: str, folder: str) -> str:
    """Writes random weights of a backbone to a file, and returns its path."""
    path = f"{folder}/random.weights.h5"
    code = (
        "import sys, keras\n"
        "sys.path.insert(0, sys.argv[3])\n"
        "from guide_recipe import BACKBONES\n"
        "keras.utils.set_random_seed(0)\n"
        "builder, _ = BACKBONES[sys.argv[1]]\n"
        "builder(weights=None, include_top=False).save_weights(sys.argv[2])\n"
    )
    measuring.run([sys.executable, "-c", code, backbone, path, HERE])
    return path


def seconds_to(accuracy: float, run: dict) -> float | None:
    """Returns when a run first reached a validation accuracy; None if it never did."""
    reached = (e["second"] for e in run["epochs"] if e["validation_accuracy"] >= accuracy)
    return next(reached, None)


def figures(repeat: dict[str, dict], program: str, parts: list[str], accuracies: bool) -> dict:
    """Returns the figures of a program in one repeat, by row of the table."""
    run, ours = repeat[program], repeat["tfxfer"]
    seconds = run["seconds"]
    rows = {
        "wall seconds": run["wall_seconds"],
        **{f"  {part}": seconds.get(part) for part in parts},
        "  other": run["wall_seconds"] - sum(seconds.values()),
        "wall, speedup of tfxfer": run["wall_seconds"] / ours["wall_seconds"],
        "CPU seconds": run["cpu_seconds"],
        "peak memory, MB": run["peak_megabytes"],
    }
    if accuracies:
        target = repeat["guide"]["validation_accuracy"]
        theirs, our_own = seconds_to(target, run), seconds_to(target, ours)
        rows["validation accuracy"] = run["validation_accuracy"]
        rows["  best epoch"] = max(e["validation_accuracy"] for e in run["epochs"])
        rows["seconds to the guide's final accuracy"] = theirs
        rows["  speedup of tfxfer"] = theirs / our_own if theirs and our_own else None
    return rows


def compare(repeats: list[dict[str, dict]], accuracies: bool) -> dict[str, dict[str, list]]:
    """Returns the figures of all repeats, by program and row."""
    programs = list(repeats[0])
    parts = list(dict.fromkeys(part for p in programs for part in repeats[0][p]["seconds"]))
    found = {p: [figures(repeat, p, parts, accuracies) for repeat in repeats] for p in programs}
    return {p: {row: [f[row] for f in rows] for row in rows[0]} for p, rows in found.items()}


def kerashub_version(options: argparse.Namespace) -> str:
    """Returns the version of KerasHub, or exits with an instruction."""
    if (options.backbone, options.weights) != ("resnet50", "none"):
        raise SystemExit("--also-kerashub requires --backbone resnet50 --weights none.")
    code = "import keras_hub, tensorflow; print(keras_hub.__version__, tensorflow.__version__)"
    try:
        kerashub, tensorflow = (
            measuring.run([options.kerashub_python, "-c", code]).lines[0][1].split()
        )
    except (OSError, SystemExit):
        raise SystemExit(
            f"'{options.kerashub_python}' has no KerasHub. Install it as the docstring of this "
            "script says, and pass its interpreter with --kerashub-python."
        ) from None
    ours = importlib.metadata.version("tensorflow")
    if tensorflow != ours:
        raise SystemExit(
            f"KerasHub is installed with TensorFlow {tensorflow}, tfxfer with {ours}. Install "
            f"tensorflow=={ours} for '{options.kerashub_python}'."
        )
    return kerashub


def main() -> None:
    """Reads the command line and measures."""
    parser = measuring.command_line(__doc__, repeats=5)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--epochs", type=int, default=5, help="Epochs per phase [default: 5]")
    parser.add_argument("--backbone", choices=("mobilenetv2", "resnet50"), default="mobilenetv2")
    parser.add_argument("--weights", choices=("imagenet", "none"), default="imagenet")
    parser.add_argument(
        "--augment-each-epoch",
        action="store_true",
        help="Decode and augment in each epoch in the guide's recipe, which by default does not.",
    )
    parser.add_argument("--also-kerashub", action="store_true", help="Measure KerasHub as well.")
    parser.add_argument(
        "--kerashub-python", default=sys.executable, metavar="PATH", help="Python with KerasHub."
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        options.weights_file = (
            random_weights(options.backbone, folder) if options.weights == "none" else None
        )
        measure(options)


def measure(options: argparse.Namespace) -> None:
    """Runs all repeats, prints a line for each, then the table."""
    facts = measuring.facts()
    if options.also_kerashub:
        facts["versions"]["keras-hub"] = kerashub_version(options)
    # Warm up the disk cache before the first repeat.
    measuring.run([sys.executable, "-c", "import tfxfer.api.fit"])
    for path in filter(pathlib.Path.is_file, options.data.rglob("*")):
        path.read_bytes()
    settings = {name: getattr(options, name) for name in SETTINGS} | {"data": options.data.name}
    repeats: list[dict[str, dict]] = []
    for seed in range(options.repeats):
        repeat = {"guide": recipe(options, seed, "guide_recipe.py", sys.executable)}
        repeat["tfxfer"] = tfxfer(options, seed)
        if options.also_kerashub:
            repeat["kerashub"] = recipe(
                options, seed, "kerashub_recipe.py", options.kerashub_python
            )
        repeats.append(repeat)
        line = ", ".join(
            f"{program} {run['wall_seconds']:.1f} s" for program, run in repeat.items()
        )
        print(f"seed {seed}: {line}", flush=True)
        columns = compare(repeats, accuracies=options.weights != "none")
        # After each repeat, so an interrupted benchmark keeps its results.
        measuring.write_json(
            options.json,
            **facts,
            settings=settings,
            medians=measuring.medians(columns),
            repeats=repeats,
        )
    measuring.print_table(columns, DIGITS)


if __name__ == "__main__":
    main()
