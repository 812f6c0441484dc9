"""Whether the estimates of `fit --folds` hold for images that were held back.

    python benchmarks/folds.py DATA... [--backbone mobilenetv2] [--images 400] [--json folds.json]

In each draw half of the images are held back, or all but `--images`. On the others the head is
cross-validated in five folds as `fit --folds 5` does, and its accuracy on those held back is
measured after training on all of it. Beside it is what a single validation split of 20% says.
"""

import argparse
import pathlib

import measuring
import numpy as np

from tfxfer.config.schema import FitConfig
from tfxfer.curation.gallery import Gallery, gallery_of
from tfxfer.data.carving import deal
from tfxfer.data.checks.examples import Examples
from tfxfer.data.opening import open_as_it_is
from tfxfer.ranking.cross_validation import fitted_head, out_of_fold
from tfxfer.ranking.judging.head_scores import HeadScores
from tfxfer.ranking.judging.labeled import Labeled

DRAWS = 20


def draw(gallery: Gallery, seed: int, num_images: int | None) -> dict[str, float]:
    """Returns the estimates of one draw, and the accuracy on the half held back."""
    halves = deal(gallery.labels, gallery.digests, 2, (seed,), gallery.groups)
    own, others = halves == 0, halves == 1
    if num_images is not None:
        chosen = np.random.default_rng(seed).permutation(len(gallery))[:num_images]
        own = np.isin(np.arange(len(gallery)), chosen)
        others = ~np.isin(gallery.units, gallery.units[own])
    features, labels, digests = gallery.features[own], gallery.labels[own], gallery.digests[own]
    num_classes = int(gallery.labels.max()) + 1
    folds = deal(labels, digests, 5, (seed, 0))
    labeled = Labeled(labels, folds, gallery.units[own], num_classes)
    found = out_of_fold(features, labeled)
    scores = HeadScores.of(found, labeled)
    rest, last = ((features[part], labels[part]) for part in (folds < 4, folds == 4))
    shares = fitted_head(rest, last, num_classes)(gallery.features[others])
    one = folds == 0
    part = Labeled(labels[one], folds[one], gallery.units[own][one], num_classes)
    single = HeadScores.of(found[one], part)
    return {
        "num_held_back": int(others.sum()),
        "accuracy": float((shares.argmax(axis=1) == gallery.labels[others]).mean()),
        "folds": scores.metric,
        "interval": scores.interval,
        "single": single.metric,
        "single_interval": single.interval,
    }


def agree(row: dict[str, float], way: str, interval: str) -> bool:
    """Tells whether estimate and accuracy differ by no more than both their errors explain."""
    low, high = row[interval]
    own = (high - low) / 2
    other = 1.96 * np.sqrt(row["accuracy"] * (1 - row["accuracy"]) / row["num_held_back"])
    return abs(row[way] - row["accuracy"]) <= np.hypot(own, other)


def main() -> None:
    """Prints and writes how often the intervals hold, and how wide they are."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+")
    parser.add_argument("--backbone", default="mobilenetv2")
    parser.add_argument("--images", type=int, help="Images that are not held back.  [half]")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    results = {}
    for data in options.data:
        examples = Examples.of(open_as_it_is(data))
        gallery = gallery_of(examples, FitConfig(data=data, backbone=options.backbone))
        name = pathlib.Path(data).name
        rows = results[name] = [
            draw(gallery, seed, options.images) for seed in range(options.draws)
        ]
        for way, interval in (("folds", "interval"), ("single", "single_interval")):
            hits = sum(row[interval][0] <= row["accuracy"] <= row[interval][1] for row in rows)
            agreeing = sum(agree(row, way, interval) for row in rows)
            errors = [abs(row[way] - row["accuracy"]) for row in rows]
            widths = [row[interval][1] - row[interval][0] for row in rows]
            print(
                f"{name} {way}: {hits} of {options.draws} hold, {agreeing} agree, mean error "
                f"{np.mean(errors):.3f}, mean width {np.mean(widths):.3f}",
                flush=True,
            )
    measuring.write_json(options.json, **measuring.facts(), results=results)


if __name__ == "__main__":
    main()
