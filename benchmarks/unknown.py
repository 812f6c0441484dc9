"""How well `--unknown` tells strange images from known ones, and whether its rates hold.

    python benchmarks/unknown.py [--backbone mobilenetv2] [--image-size 96] [--json unknown.json]

The known images are of one dataset, the strange ones of another. A head is solved on the features
of the training images; half of the other known images calibrate, half are judged together with the
strange ones. Beside the distance stands the highest probability of the head (Hendrycks & Gimpel
2017, arXiv:1610.02136). With fewer features kept, a coreset is compared with a random choice.
"""

import argparse
import dataclasses
import pathlib

import measuring
import numpy as np
from sklearn.metrics import roc_auc_score

from tfxfer.config.schema import FitConfig
from tfxfer.curation.gallery import Gallery, gallery_of
from tfxfer.data.checks.examples import Examples
from tfxfer.data.opening import open_as_it_is
from tfxfer.evaluation.cautioning import Calibrating, Rates, make_cautious
from tfxfer.evaluation.coreset import coreset
from tfxfer.inference.caution import distances
from tfxfer.models.standardization import Standardization
from tfxfer.ranking.cross_validation import fitted_head

PAIRS = (("cifar10", "flowers"), ("digits", "tiny_imagenet40"), ("flowers", "cifar10"))
DRAWS = 20


def features_of(data: str, asked: FitConfig, count: int) -> Gallery:
    """Returns so many images of a dataset, with their features."""
    source = open_as_it_is(data, asked.data_dir)
    split = next(iter(source.splits.values()))
    chosen = np.random.default_rng(0).permutation(len(split))[:count]
    source = dataclasses.replace(source, splits={"train": split.select(np.sort(chosen))})
    return gallery_of(Examples.of(source), dataclasses.replace(asked, data=data))


def auroc(known: np.ndarray, strange: np.ndarray) -> float:
    """Returns how often a strange image has a higher score than a known one."""
    is_strange = np.repeat([0, 1], [len(known), len(strange)])
    return float(roc_auc_score(is_strange, np.concatenate([known, strange])))


def unit_rows(features: np.ndarray) -> np.ndarray:
    """Returns features scaled to length 1, as in the paper."""
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def measure(known: Gallery, strange: Gallery, seed: int) -> dict[str, float]:
    """Returns the AUROC of each way, and the rates, of one division of the known images."""
    order = np.random.default_rng(seed).permutation(len(known))
    train, own, rest = np.split(order, [len(order) // 2, 3 * len(order) // 4])
    features, labels = known.features, known.labels
    num_classes, cut = int(labels.max()) + 1, 4 * len(train) // 5
    parts = [(features[part], labels[part]) for part in (train[:cut], train[cut:])]
    head = fitted_head(*parts, num_classes)
    shares, others = head(features), head(strange.features)
    found = {"highest probability": auroc(-shares[rest].max(axis=1), -others.max(axis=1))}
    calibrating = Calibrating(features[own], shares[own], labels[own], "test", True)
    caution = make_cautious(features[train], calibrating, Rates(), seed)
    judged = caution.judge(features[rest], shares[rest])
    far = caution.judge(strange.features, others)
    found["false alarms"] = float(judged.unknown.mean())
    found["found"] = float(far.unknown.mean())
    found["coverage"] = float(judged.in_set[np.arange(len(rest)), labels[rest]].mean())
    found["mean size"] = float(judged.in_set.sum(axis=1).mean())
    found["accuracy"] = float((shares[rest].argmax(axis=1) == labels[rest]).mean())
    count, near, far_off = len(train) // 10, features[rest], strange.features
    for way, scale in (
        ("length 1", unit_rows),
        ("standardized", Standardization.of(features[train]).apply),
    ):
        rows = scale(features[train])
        for kept, chosen in (
            ("", np.arange(len(rows))),
            (", coreset of 10%", coreset(rows, count, seed)),
            (", random 10%", np.arange(count)),
        ):
            scores = [distances(scale(one), rows[chosen], 10) for one in (near, far_off)]
            found[way + kept] = auroc(*scores)
    return found


def main() -> None:
    """Prints and writes the means of all draws."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backbone", default="mobilenetv2")
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--flowers", default="flowers5_small", help="folder of photographs")
    parser.add_argument("--data-dir")
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    asked = FitConfig(
        backbone=options.backbone, image_size=options.image_size, data_dir=options.data_dir
    )
    made, results = {}, {}
    for pair in PAIRS:
        for name in pair:
            if name not in made:
                data = options.flowers if name == "flowers" else name
                made[name] = features_of(data, asked, options.count)
        rows = [measure(*(made[name] for name in pair), seed) for seed in range(DRAWS)]
        results[" / ".join(pair)] = rows
        print(*pair, {key: round(np.mean([row[key] for row in rows]), 3) for key in rows[0]})
    measuring.write_json(options.json, **measuring.facts(), results=results)


if __name__ == "__main__":
    main()
