"""Kills fits at random moments, resumes them, and compares the results with an uninterrupted run.

    python benchmarks/kill_and_resume.py --kills 50

Each run is killed several times. Half of the kills come at a random time, the others at critical
moments: while a checkpoint is written, while features are cached, as the phases change, as the
weights become final, while the export is written.
"""

import argparse
import collections
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests"))

import killing
import made_texts
import measuring

# Short runs that cover all features; a checkpoint every fifth of a second within epochs.
_COMMON = ["--train-examples", "400", "--checkpoint-minutes", "0.003", "--batch-size", "16"]
_SMALL = ["--backbone", "resnet10_small", "--data", "digits", *_COMMON]
SETTINGS = {
    "L-BFGS, then finetune": ["fit", *_SMALL, "--finetune-epochs", "3", "--effort", "quick"],
    "L-BFGS, then a search": ["fit", *_SMALL, "--finetune-epochs", "3"],
    "Adam, then finetune": [
        *("fit", *_SMALL, "--head-optimizer", "adam", "--head-epochs", "40"),
        *("--finetune-epochs", "2", "--head-dropout", "0.3"),
    ],
    "mixed_bfloat16": ["fit", *_SMALL, "--finetune-epochs", "3", "--precision", "mixed_bfloat16"],
    "mixed_float16": ["fit", *_SMALL, "--finetune-epochs", "3", "--precision", "mixed_float16"],
    "images streamed": [
        *("fit", *_SMALL, "--head-optimizer", "sgd", "--head-epochs", "2"),
        *("--finetune-epochs", "2", "--memory-gigabytes", "0", "--cache-gigabytes", "0"),
    ],
    "pretrain": ["pretrain", *_SMALL, "--epochs", "5"],
}
_TEXTS = ["--checkpoint-minutes", "0.003", "--batch-size", "8", "--text-dimensions", "16"]


def text_settings(folder):
    """Returns settings of runs on invented reviews, one on a pretrained backbone."""
    data = str(made_texts.write_reviews(folder / "reviews", train=200, test=40))
    pretrain = ["pretrain", "--data", data, *_TEXTS, "--epochs", "6"]
    source = killing.Place(folder / "source")
    killing.finish(source, killing.command(source, [*pretrain, "--backbone", "gru"]))
    fit = ["fit", "--data", data, *_TEXTS, "--finetune-epochs", "6"]
    return {
        "texts, lstm": [*fit, "--backbone", "lstm"],
        "texts, pretrained gru": [*fit, "--backbone", "gru", "--weights", str(source.run)],
        "texts, average": [*fit, "--backbone", "average", "--class-weights", "balanced"],
        "texts, pretrain": [*pretrain, "--backbone", "textcnn"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--chain", type=int, default=5, help="Maximum number of kills per run.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--texts", action="store_true", help="runs on texts instead of images")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    generator = random.Random(options.seed)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kills-"))
    settings = text_settings(folder) if options.texts else SETTINGS
    expected, seconds = {}, {}
    for number, (name, arguments) in enumerate(settings.items()):
        place = killing.Place(folder / f"whole-{number}")
        start = time.monotonic()
        killing.finish(place, killing.command(place, arguments))
        expected[name], seconds[name] = killing.outcome(place), time.monotonic() - start
        print(f"{name}: {seconds[name]:.0f} s uninterrupted", flush=True)
    kinds, any_time, rows, runs = [*killing.MOMENTS], "at any time", [], 0
    while len(rows) < options.kills:
        name, arguments = [*settings.items()][runs % len(settings)]
        moments = []
        for _ in range(options.chain):
            kind = generator.choice([any_time] * (len(kinds) - 1) + kinds)
            is_cached = not options.texts and "0" not in arguments
            if (kind == "while features are cached" and not is_cached) or (
                kind == "while the export is made" and arguments[0] == "pretrain"
            ):
                kind = any_time
            # After the first kill the rest takes less time than the whole run.
            limit = killing.MOMENTS[kind] or 0.6 * seconds[name]
            moments.append((kind, generator.uniform(0, limit)))
        # In the order of a run: the process of each passes the earlier moments.
        moments.sort(key=lambda moment: kinds.index(moment[0]))
        place = killing.Place(folder / f"killed-{runs}")
        kills = [
            (kind, after)
            for kind, after, killed in killing.chain(place, arguments, moments, runs)
            if killed
        ]
        differing = killing.differences(expected[name], killing.outcome(place))
        left = killing.leftovers(place)
        rows += [
            {"settings": name, "moment": kind, "seconds": after, "run": runs, "differs": differing}
            for kind, after in kills
        ]
        print(
            f"run {runs}, {name}: {len(kills)} kills, differs {differing}, left {left}", flush=True
        )
        runs += 1
    counts = collections.Counter(row["moment"] for row in rows)
    bad = {row["run"] for row in rows if row["differs"]}
    print(
        f"\n{len(rows)} kills of {runs} runs; runs with different results: {sorted(bad) or 'none'}"
    )
    for kind in kinds:
        print(f"  {counts[kind]:3d} {kind}")
    measuring.write_json(
        options.json, **measuring.facts(), kills=rows, runs=runs, differing=sorted(bad)
    )


if __name__ == "__main__":
    main()
