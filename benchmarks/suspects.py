"""How well `check --backbone` finds changed labels and planted near copies.

    python benchmarks/suspects.py DATA... [--backbone mobilenetv2] [--json suspects.json]

Labels: a share of the labels, chosen by a seed, is changed to another class. Measured are the
precision among as many of the most suspicious images as were changed, the average precision of the
ranking of all images, and precision and recall of the list that is shown. They are compared with a
random order, with the training loss of a head on all images, and with its loss on held-out images.

Near copies: of images in train, copies are planted in test that are re-encoded, cropped or
brightened. A copy is found if it is in a group with its original. The group is right if it has
nothing else but near copies that the original has without planting.
"""

import argparse
import dataclasses
import pathlib
import shutil
import tempfile
from collections.abc import Callable

import measuring
import numpy as np
from PIL import Image, ImageEnhance
from sklearn.metrics import average_precision_score

from tfxfer.config.schema import FitConfig
from tfxfer.curation.examining import examine
from tfxfer.curation.gallery import Gallery, gallery_of
from tfxfer.curation.near_copies import NUM_NEIGHBORS
from tfxfer.curation.neighbors import Neighbors, directions, nearest
from tfxfer.curation.section.heads import confident_learning, heads_of
from tfxfer.curation.suspects import Judged, judge_labels, judged_by
from tfxfer.data.carving import deal
from tfxfer.data.checks.examples import Examples
from tfxfer.data.opening import open_as_it_is
from tfxfer.models.standardization import Standardization
from tfxfer.ranking.cross_validation import fitted_head, out_of_fold
from tfxfer.ranking.judging.labeled import Labeled
from tfxfer.training.examples import Examples as LabeledFeatures
from tfxfer.training.logistic_regression import Problem, best_solution, solve_path

SHARES = (0.05, 0.1)


def changed_labels(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the labels with a share of them changed, and a mask of those."""
    generator = np.random.default_rng(seed)
    chosen = generator.choice(len(labels), round(share * len(labels)), replace=False)
    num_classes = labels.max() + 1
    given, is_changed = labels.copy(), np.zeros(len(labels), bool)
    steps = generator.integers(1, num_classes, len(chosen))
    given[chosen] = (given[chosen] + steps) % num_classes
    is_changed[chosen] = True
    return given, is_changed


def label_probabilities(gallery: Gallery, seed: int) -> dict[str, np.ndarray]:
    """Returns the probability of the given label by the training loss and by the held-out loss."""
    labels, features = gallery.labels, gallery.features
    num_classes = int(labels.max()) + 1
    folds = deal(labels, gallery.digests, 5, (seed, 0), gallery.groups)
    labeled = Labeled(labels, folds, gallery.units, num_classes)
    rest, one = folds > 0, folds == 0
    head = fitted_head((features[rest], labels[rest]), (features[one], labels[one]), num_classes)
    trained = head(features)
    held_out = out_of_fold(features, labeled)
    own = np.arange(len(labels))
    return {"training loss": trained[own, labels], "held-out loss": held_out[own, labels]}


def judged_for_report(gallery: Gallery, neighbors: Neighbors, seed: int) -> Judged:
    """Returns what a report says of the labels, with a penalty chosen on a fold."""
    num_classes = int(gallery.labels.max()) + 1
    out = deal(gallery.labels, gallery.digests, 5, (seed, 9), gallery.groups) == 0
    scale = Standardization.of(gallery.features[~out])
    train, validation = (
        LabeledFeatures(scale.apply(gallery.features[part]), gallery.labels[part])
        for part in (~out, out)
    )
    penalty = best_solution(list(solve_path(Problem(train, validation, num_classes, 100)))).penalty
    heads = heads_of(gallery, penalty, num_classes, seed)
    return judged_by(gallery, neighbors, heads, confident_learning)


def measure_labels(gallery: Gallery, repeats: int) -> list[dict]:
    """Returns the scores of each way to rank, for each share and seed."""
    neighbors = nearest(directions(gallery.features), gallery.units, NUM_NEIGHBORS)
    found = []
    for share in SHARES:
        for seed in range(repeats):
            given, is_changed = changed_labels(gallery.labels, share, seed)
            noisy = dataclasses.replace(gallery, labels=given)
            judged = judge_labels(noisy, neighbors, seed)
            order = np.random.default_rng(seed).random(len(given))
            quick = judged_for_report(noisy, neighbors, seed)
            ways = {"random": order, **label_probabilities(noisy, seed)}
            ways |= {"tfxfer": judged.scores, "report": quick.scores}
            number = int(is_changed.sum())
            row = {"share": share, "seed": seed, "num_changed": number}
            for name, scores in ways.items():
                first = np.argsort(scores, kind="stable")[:number]
                row[name] = {
                    "precision": float(is_changed[first].mean()),
                    "average_precision": float(average_precision_score(is_changed, -scores)),
                }
            for name, one in {"listed": judged, "report listed": quick}.items():
                hits = int(is_changed[one.suspects].sum())
                row[name] = {
                    "number": len(one.suspects),
                    "precision": hits / max(1, len(one.suspects)),
                    "recall": hits / number,
                }
            found.append(row)
    return found


def reencoded(image: Image.Image, path: pathlib.Path) -> None:
    image.save(path, quality=40)


def cropped(image: Image.Image, path: pathlib.Path) -> None:
    width, height = image.size
    image.crop((round(0.05 * width), round(0.05 * height), width, height)).save(path, quality=90)


def brightened(image: Image.Image, path: pathlib.Path) -> None:
    ImageEnhance.Brightness(image).enhance(1.3).save(path, quality=90)


COPIES: dict[str, Callable[[Image.Image, pathlib.Path], None]] = {
    one.__name__: one for one in (reencoded, cropped, brightened)
}


def plant(examples: Examples, folder: pathlib.Path, each: int, seed: int) -> dict[str, str]:
    """Writes all images to train, and copies of some to test; returns the original of each copy."""
    source, kinds = examples.source, list(COPIES)
    order = np.random.default_rng(seed).permutation(len(examples.labels))
    kind_of = dict(zip(order.tolist(), np.repeat(kinds, each).tolist(), strict=False))
    original = {}
    for number, label in enumerate(examples.labels):
        path = pathlib.Path(examples.name(number))
        places = {split: folder / split / source.class_names[label] for split in ("train", "test")}
        for place in places.values():
            place.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, places["train"] / f"{number}{path.suffix}")
        if number in kind_of:
            with Image.open(path) as image:
                copy = places["test"] / f"{number}_{kind_of[number]}.jpg"
                COPIES[kind_of[number]](image.convert("RGB"), copy)
            original[str(copy)] = str(places["train"] / f"{number}{path.suffix}")
    return original


def groups_by_path(examples: Examples, asked: FitConfig) -> dict[str, set[str]]:
    """Returns the group of near copies of each image that has one."""
    copies = examine(examples, asked).findings.near_copies
    return {path: set(group.paths) for group in copies for path in group.paths}


def measure_copies(examples: Examples, asked: FitConfig, each: int, seed: int) -> dict:
    """Returns the recall of each kind of copy, and the share of right groups among those found."""
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory)
        original = plant(examples, folder, each, seed)
        copies = Examples.of(open_as_it_is(str(folder)))
        with_copies = groups_by_path(copies, asked)
        shutil.rmtree(folder / "test")
        natural = groups_by_path(Examples.of(open_as_it_is(str(folder))), asked)
    hits = dict.fromkeys(COPIES, 0)
    found = right = 0
    for copy, source in original.items():
        group = with_copies.get(copy, set())
        hits[copy.rpartition("_")[2].removesuffix(".jpg")] += source in group
        if group:
            # The others are copies too, of what is a near copy of this without planting.
            others = {original.get(path, path) for path in group}
            found += 1
            right += others <= {source} | natural.get(source, set())
    recall = {kind: number * len(COPIES) / len(original) for kind, number in hits.items()}
    return {"seed": seed, "recall": recall, "precision": right / max(1, found), "found": found}


def print_labels(name: str, rows: list[dict]) -> None:
    """Prints the means over seeds."""
    for share in SHARES:
        own = [row for row in rows if row["share"] == share]
        cells = [f"{name} {share:.0%}"]
        for way in ("random", "training loss", "held-out loss", "tfxfer", "report"):
            means = [
                np.mean([row[way][key] for row in own])
                for key in ("precision", "average_precision")
            ]
            cells.append(f"{means[0]:.2f} / {means[1]:.2f}")
        for way in ("listed", "report listed"):
            listed = [np.mean([row[way][key] for row in own]) for key in ("precision", "recall")]
            cells.append(f"{listed[0]:.2f} / {listed[1]:.2f}")
        print(" | ".join(cells), flush=True)


def main() -> None:
    """Prints and writes what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+")
    parser.add_argument("--backbone", default="mobilenetv2")
    parser.add_argument("--repeats", type=int, default=3, help="Seeds.  [default: 3]")
    parser.add_argument("--copies", type=int, default=40, help="Copies of each kind. [default: 40]")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    results = {}
    for data in options.data:
        asked = FitConfig(data=data, backbone=options.backbone)
        examples = Examples.of(open_as_it_is(data))
        name = pathlib.Path(data).name
        rows = measure_labels(gallery_of(examples, asked), options.repeats)
        print_labels(name, rows)
        copies = [
            measure_copies(examples, asked, options.copies, seed)
            for seed in range(options.repeats if options.copies else 0)
        ]
        for one in copies:
            print(name, one, flush=True)
        results[name] = {"labels": rows, "copies": copies}
    measuring.write_json(options.json, **measuring.facts(), results=results)


if __name__ == "__main__":
    main()
