"""Checks rankings of backbones against fine-tuning, and learning curves against more images.

    python benchmarks/ranking.py order digits hymenoptera flowers5_small --repeats 3
    python benchmarks/ranking.py time hymenoptera
    python benchmarks/ranking.py curve digits hymenoptera flowers5_small --backbone mobilenet_025

`order` ranks the backbones that are available locally, fine-tunes each with several seeds (`fit
--effort quick`), and counts the pairs that fine-tuning tells apart and the ranking has in the same
order. `time` compares a ranking from an empty cache with the forward passes alone. `curve` holds
half of the images back, several times, and compares what the learning curve expects of twice the
images with what the head then reaches.
"""

import argparse
import dataclasses
import itertools
import json
import pathlib
import statistics
import tempfile
import time

import numpy as np
from measuring import command_line, facts, write_json

import tfxfer
from tfxfer.config.schema import FitConfig
from tfxfer.data.carving import deal
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.classifier import build_classifier
from tfxfer.ranking.cross_validation import out_of_fold
from tfxfer.ranking.images import Pool
from tfxfer.ranking.judging.head_scores import HeadScores
from tfxfer.ranking.judging.labeled import Labeled
from tfxfer.ranking.learning_curve import learning_curve
from tfxfer.ranking.ordering import agreement
from tfxfer.ranking.ranking import NUM_FOLDS
from tfxfer.ranking.result import Ranking
from tfxfer.system.digests import ids_of
from tfxfer.system.isolation import isolated
from tfxfer.training.frozen.features import FeatureFunction


def quiet(_: str) -> None:
    """Prints nothing."""


def fine_tuned(data: str, backbone: str, seed: int, kept: pathlib.Path) -> dict[str, float]:
    """Returns the accuracies of a fit by split; finished ones are read."""
    file = kept / f"{pathlib.Path(data).name}-{backbone}-{seed}.json"
    if file.is_file():
        return json.loads(file.read_text())
    with tempfile.TemporaryDirectory() as folder:
        result = tfxfer.fit(
            data=data,
            backbone=backbone,
            seed=seed,
            effort="quick",
            runs_dir=f"{folder}/runs",
            export_dir=f"{folder}/exports",
            say=quiet,
        )
    splits = [split for split in ("validation", "test") if split in result.metrics]
    found = {split: result.metrics[split]["accuracy"] for split in splits}
    file.write_text(json.dumps(found))
    return found


def order(options: argparse.Namespace, data: str) -> dict:
    """Compares the order of a ranking with that of fine-tuned accuracies."""
    ranking = tfxfer.rank(*options.backbone, data=data, say=quiet)
    print(ranking.describe())
    names = [one.backbone for one in ranking.backbones]
    options.kept.mkdir(parents=True, exist_ok=True)
    # Seed by seed, so that what was done before an interruption compares all of them.
    found = [
        {name: fine_tuned(data, name, seed, options.kept) for name in names}
        for seed in range(options.repeats)
    ]
    splits = {}
    for split in found[0][names[0]]:
        accuracies = {name: [one[name][split] for one in found] for name in names}
        splits[split] = compared(ranking, accuracies)
        told = f"{splits[split]['in_order']} of {splits[split]['pairs']} pairs"
        print(
            f"{data}, {split}: {told} that the seeds tell apart are in the same order", flush=True
        )
    name = pathlib.Path(data).name
    return {"data": name, "ranking": ranking.as_json(), "splits": splits}


def compared(ranking: Ranking, accuracies: dict[str, list[float]]) -> dict:
    """Returns how a ranking agrees with accuracies of fine-tuned backbones, seed by seed."""
    names = [one.backbone for one in ranking.backbones]
    told, right, wrong = 0, 0, []
    for better, worse in itertools.combinations(names, 2):  # as the ranking has them
        one, other = accuracies[better], accuracies[worse]
        if max(other) < min(one) or max(one) < min(other):
            told += 1
            right += min(one) > max(other)
            wrong += [(better, worse)] if min(one) <= max(other) else []
    means = [statistics.mean(accuracies[name]) for name in names]
    places = -np.arange(len(names))
    for name in names:
        print(f"{name:18s} fine-tuned {[round(value, 4) for value in accuracies[name]]}")
    scores = {"order": places} | {
        score: [getattr(one, score) for one in ranking.backbones]
        for score in ("accuracy", "logme", "h_score")
    }
    taus = {name: agreement(rows, means) for name, rows in scores.items() if len(names) > 1}
    return {
        "fine_tuned": accuracies,
        "pairs": told,
        "in_order": right,
        "wrong": wrong,
        "weighted_tau": taus,
    }


def measure_time(options: argparse.Namespace, data: str) -> dict:
    """Compares the time of a ranking from an empty cache with its forward passes."""
    found = []
    tfxfer.rank("resnet10_small", data="digits", train_examples=50, say=quiet)  # starts TensorFlow
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as cache:
            seconds = []
            for seed in (0, 1):
                start = time.perf_counter()
                ranking = tfxfer.rank(
                    *options.backbone, data=data, cache_dir=cache, seed=seed, say=quiet
                )
                seconds.append(time.perf_counter() - start)
        names = [one.backbone for one in ranking.backbones]
        passes = sum(isolated(forward_pass)(data, name) for name in names)
        found.append({"rank": seconds[0], "another_seed": seconds[1], "passes": passes})
        print(f"{data}: {found[-1]}, ratio {seconds[0] / passes:.2f}", flush=True)
    return {"data": data, "seconds": found}


def forward_pass(data: str, name: str) -> float:
    """Returns the seconds from building a backbone to the features of all images, uncached."""
    config = FitConfig(data=data, cache_gigabytes=0.0)
    pool = Pool(config, NUM_FOLDS)
    decided = pool.decided(BACKBONES[name])
    start = time.perf_counter()
    pool.images(decided)
    classifier = build_classifier(
        BACKBONES[name], decided, decided.head, decided.weights, pool.labeled.num_classes
    )
    pool.features(FeatureFunction.of(classifier.features, decided, "average"), decided)
    return time.perf_counter() - start


def curve(options: argparse.Namespace, data: str) -> dict:
    """Compares what learning curves of halves expect with what all images give."""
    cases = []
    for name in options.backbone:
        pool = Pool(FitConfig(data=data), NUM_FOLDS)
        config = pool.decided(BACKBONES[name])
        classifier = build_classifier(
            BACKBONES[name], config, config.head, config.weights, pool.labeled.num_classes
        )
        function = FeatureFunction.of(classifier.features, config, "average")
        features, labeled = pool.features(function, config), pool.labeled
        actual = HeadScores.of(out_of_fold(features, labeled), labeled).metric
        keys = ids_of((str(unit).encode(),) for unit in labeled.units)
        for draw in range(options.repeats):
            half = deal(labeled.labels, keys, 2, (draw, 99)) == 0
            part = dataclasses.replace(
                labeled,
                labels=labeled.labels[half],
                folds=deal(labeled.labels[half], keys[half], NUM_FOLDS, (draw,)),
                units=labeled.units[half],
            )
            case = {"backbone": name, "actual": actual, **expected(features[half], part)}
            case["covered"] = case["interval"][0] <= actual <= case["interval"][1]
            cases.append(case)
            print(f"{data}: {cases[-1]}", flush=True)
    return {"data": data, "cases": cases, "covered": sum(case["covered"] for case in cases)}


def expected(features: np.ndarray, labeled: Labeled) -> dict:
    """Returns what the learning curve of some images expects with twice as many."""
    scores = HeadScores.of(out_of_fold(features, labeled), labeled)
    found = learning_curve(features, labeled, scores.is_correct, 0)
    twice = found.predictions[0]
    return {
        "accuracy": scores.metric,
        "expected": twice.accuracy,
        "interval": twice.interval,
        "num_images": twice.num_images,
    }


def main() -> None:
    parser = command_line(__doc__, repeats=2)
    parser.add_argument("what", choices=["order", "time", "curve"])
    parser.add_argument("data", nargs="+")
    parser.add_argument("--backbone", action="append", default=[])
    parser.add_argument(
        "--kept",
        type=pathlib.Path,
        default=pathlib.Path(tempfile.gettempdir(), "tfxfer-fine-tuned"),
        help="Where accuracies of fits are kept, so that an interrupted benchmark resumes.",
    )
    options = parser.parse_args()
    before = facts()
    ways = {"order": order, "time": measure_time, "curve": isolated(curve)}
    results = [ways[options.what](options, data) for data in options.data]
    if options.what == "curve":
        covered = sum(one["covered"] for one in results)
        print(f"{covered} of {sum(len(one['cases']) for one in results)} intervals contain it")
    if options.json:
        write_json(options.json, **before, results=results)


if __name__ == "__main__":
    main()
