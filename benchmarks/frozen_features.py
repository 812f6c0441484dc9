"""Accuracy of a linear classifier on frozen features, with pretrained and with random weights.

    python benchmarks/frozen_features.py resnet10_small cifar10

Logistic regression on the standardized features of all training images, without augmentation. The
regularization strength is chosen on a tenth of them.
"""

import argparse
import json

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tfxfer.config.schema import FitConfig
from tfxfer.data.batches import evaluation_batches
from tfxfer.data.image.dataset import Images
from tfxfer.models.prediction import predict_batches
from tfxfer.planning.plan import make_plan

STRENGTHS = (0.001, 0.01, 0.1)


def features_and_labels(config: FitConfig) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns float32 features and labels of the training and test images."""
    plan = make_plan(config)
    model = plan.build_classifier(plan.config.weights).features
    found = {}
    for name, split in plan.source.splits.items():
        batches = evaluation_batches(Images(split, plan.config.input_size), 500)
        features = predict_batches(model, batches, len(split), 500, lambda _: None)
        found[name] = (features, split.labels)
    train = [np.concatenate(pair) for pair in zip(found["train"], found["validation"], strict=True)]
    return {"train": (train[0], train[1]), "test": found["test"]}


def linear_accuracy(data: dict[str, tuple[np.ndarray, np.ndarray]], seed: int) -> dict[str, float]:
    """Returns the test accuracy of a linear head, and the regularization strength chosen."""
    scaler = StandardScaler().fit(data["train"][0])
    x, y = scaler.transform(data["train"][0]), data["train"][1]
    held_out = np.random.default_rng(seed).random(len(x)) < 0.1

    def fitted(strength: float, rows: np.ndarray) -> LogisticRegression:
        return LogisticRegression(C=strength, max_iter=300).fit(x[rows], y[rows])

    chosen = max(STRENGTHS, key=lambda c: fitted(c, ~held_out).score(x[held_out], y[held_out]))
    head = fitted(chosen, np.ones(len(x), bool))
    score = head.score(scaler.transform(data["test"][0]), data["test"][1])
    return {"test_accuracy": round(score, 4), "C": chosen, "train_images": len(x)}


def main() -> None:
    """Prints one JSON line for each kind of weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backbone")
    parser.add_argument("data")
    parser.add_argument("--weights", help="Instead of the default weights of the backbone.")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for weights in (arguments.weights, "none"):
        config = FitConfig(
            data=arguments.data,
            backbone=arguments.backbone,
            weights=weights,
            seed=arguments.seed,
        )
        result = linear_accuracy(features_and_labels(config), arguments.seed)
        print(json.dumps({"weights": weights or "own", **result}), flush=True)


if __name__ == "__main__":
    main()
