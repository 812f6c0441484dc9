"""What `label-next` is worth: accuracy by the number of labels, against random choice.

    python benchmarks/label_next.py DATA... [--backbone mobilenetv2] [--json label_next.json]

Half of the images are held out. Of the others two per class are labeled at random. In each round a
head is solved on the features of the labeled images, and 20 more are labeled: at random, the
typical ones, the uncertain ones, or those that `label-next` would choose.
"""

import argparse
import pathlib

import measuring
import numpy as np

from tfxfer.config.schema import FitConfig
from tfxfer.curation.gallery import gallery_of
from tfxfer.curation.labeling.choosing import FEW_PER_CLASS
from tfxfer.curation.labeling.typical import choose_typical
from tfxfer.curation.labeling.uncertain import choose_uncertain, margins_of
from tfxfer.curation.neighbors import directions
from tfxfer.data.carving import deal
from tfxfer.data.checks.examples import Examples
from tfxfer.data.opening import open_as_it_is
from tfxfer.models.objectives import softmax
from tfxfer.models.standardization import Standardization
from tfxfer.training.examples import Examples as Labeled
from tfxfer.training.logistic_regression import Problem, solve

ROUNDS, COUNT, EACH = 5, 20, 2

# Too few labels to choose it on.
PENALTY = 1e-2


def probabilities(features, labels, others, num_classes):
    """Returns the probabilities of others by a head on some labels."""
    scale = Standardization.of(features)
    labeled = Labeled(scale.apply(features), labels)
    one = Labeled(labeled.features[:1], labels[:1])
    solution = solve(Problem(labeled, one, num_classes, 100), PENALTY)
    return softmax(scale.apply(others) @ solution.kernel + solution.bias)


def choose(way, rows, known, shares, seed):
    """Returns what one of the ways would label next."""
    if way == "random":
        return np.random.default_rng(seed).permutation(len(rows))[:COUNT]
    if way == "label-next":
        are_few = len(known) < FEW_PER_CLASS * shares.shape[1]
        way = "typical" if are_few else "uncertain"
    if way == "typical":
        return choose_typical(rows, known, COUNT, seed)
    return choose_uncertain(rows, margins_of(shares), COUNT, seed)


def measure(features, labels, halves, way, seed):
    """Returns the accuracy on the held-out half before each round and after the last."""
    generator = np.random.default_rng(seed)
    num_classes = int(labels.max()) + 1
    pool, held_out = np.flatnonzero(halves == 0), np.flatnonzero(halves == 1)
    known = np.concatenate(
        [generator.permutation(pool[labels[pool] == label])[:EACH] for label in range(num_classes)]
    )
    rows, accuracies = directions(features), []
    for number in range(ROUNDS + 1):
        given = features[known], labels[known]
        found = probabilities(*given, features[held_out], num_classes).argmax(axis=1)
        accuracies.append(float((found == labels[held_out]).mean()))
        rest = np.setdiff1d(pool, known)
        shares = probabilities(*given, features[rest], num_classes)
        chosen = choose(way, rows[rest], rows[known], shares, (seed + 1) * 1000 + number)
        known = np.concatenate([known, rest[chosen]])
    return accuracies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--backbone", default="mobilenetv2")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--data-dir")
    parser.add_argument("--most", type=int, default=5000, help="images of each dataset")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    results = {}
    for data in arguments.data:
        asked = FitConfig(
            data=data,
            data_dir=arguments.data_dir,
            backbone=arguments.backbone,
            image_size=arguments.image_size,
        )
        examples = Examples.of(open_as_it_is(data, arguments.data_dir))
        gallery = gallery_of(examples, asked)
        some = np.random.default_rng(0).permutation(len(gallery))[: arguments.most]
        features, labels = gallery.features[some], gallery.labels[some]
        halves = deal(labels, gallery.digests[some], 2, (0,), None)
        found = {
            way: [measure(features, labels, halves, way, seed) for seed in range(arguments.repeats)]
            for way in ("random", "typical", "uncertain", "label-next")
        }
        name = pathlib.Path(data).name
        results[name] = found
        for way, rows in found.items():
            means, stds = np.mean(rows, axis=0), np.std(rows, axis=0)
            shown = "  ".join(f"{m:.3f}±{s:.3f}" for m, s in zip(means, stds, strict=True))
            print(f"{name}  {way:10}  {shown}", flush=True)
    measuring.write_json(arguments.json, **measuring.facts(), results=results)


if __name__ == "__main__":
    main()
