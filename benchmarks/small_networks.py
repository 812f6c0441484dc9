"""Compares the transfer of small networks after the same time of pretraining.

    python benchmarks/small_networks.py --minutes 4

Each candidate is pretrained on Tiny ImageNet at 32 pixels with the recipe of
`configs/pretrain_tiny_imagenet.toml`, for as many steps as fit in the given time (by the median of
30 steps; cosine decay to the end). Then logistic regression on its frozen features classifies
CIFAR-10: 10,000 training and 5,000 test images, the better of two regularization strengths.
"""

import argparse
import statistics
import time

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tfxfer.config.schema import AugmentConfig, FitConfig, PhaseConfig
from tfxfer.data.batches import evaluation_batches, training_batches
from tfxfer.data.image.dataset import Images
from tfxfer.data.opening import open_source
from tfxfer.models.backbones.small_resnet import small_resnet
from tfxfer.models.objectives import accuracy
from tfxfer.system.devices import dtype_policy
from tfxfer.training.epochs.loop import compiled_view
from tfxfer.training.pretraining import predict_splits

SIZE, BATCH = 32, 128
AUGMENT = AugmentConfig(flip=True, shift=0.125, zoom=0.0, rotation=0.0)
CANDIDATES = {
    "16 layers, widths 32 64 128": ((32, 64, 128), (2, 2, 2)),
    "10 layers, widths 16 64 128 256": ((16, 64, 128, 256), (1, 1, 1, 1)),
    "10 layers, widths 32 64 128 240": ((32, 64, 128, 240), (1, 1, 1, 1)),
}


def build(widths: tuple[int, ...], blocks: tuple[int, ...]) -> tuple[keras.Model, keras.Model]:
    """Returns models from images to logits of 200 classes, and to features."""
    keras.utils.set_random_seed(0)
    with dtype_policy("mixed_bfloat16"):
        image = keras.Input((SIZE, SIZE, 3))
        x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image)
        maps = small_resnet((SIZE, SIZE, 3), widths, blocks)(x)
        features = keras.layers.GlobalAveragePooling2D(dtype="float32")(maps)
        logits = keras.layers.Dense(200, kernel_initializer="zeros", dtype="float32")(features)
    return keras.Model(image, logits), keras.Model(image, features)


def compiled(model: keras.Model, steps: int) -> keras.Model:
    """Returns the model compiled with the recipe's optimizer for a number of steps."""
    phase = PhaseConfig(
        epochs=1,
        optimizer="sgd",
        learning_rate=0.1,
        warmup_epochs=0.1,
        nesterov=True,
        weight_decay=5e-3,
        clip_norm=0.0,
    )
    return compiled_view(model, phase, FitConfig(label_smoothing=0.0), steps)


def seconds_per_step(model: keras.Model) -> float:
    """Returns the median time of a training step on images in memory."""
    view = compiled(model, 1000)
    generator = np.random.default_rng(0)
    images = generator.uniform(0, 255, (BATCH, SIZE, SIZE, 3)).astype("float32")
    labels = generator.integers(200, size=BATCH)
    times = []
    for _ in range(33):
        start = time.perf_counter()
        view.train_on_batch(images, labels)
        times.append(time.perf_counter() - start)
    return statistics.median(times[3:])


def linear_accuracy(features: keras.Model, data: dict[str, Images]) -> float:
    """Returns the test accuracy of logistic regression on standardized features."""
    x = {n: features.predict(evaluation_batches(d, 500), verbose=0) for n, d in data.items()}
    scaler = StandardScaler().fit(x["train"])
    train, test = scaler.transform(x["train"]), scaler.transform(x["test"])
    heads = [
        LogisticRegression(C=strength, max_iter=200).fit(train, data["train"].split.labels)
        for strength in (0.01, 0.1)
    ]
    return max(head.score(test, data["test"].split.labels) for head in heads)


def main() -> None:
    """Prints a line for each candidate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=4.0)
    minutes = parser.parse_args().minutes
    tiny = open_source(FitConfig(data="tiny_imagenet40", validation_examples=4000)).splits
    source = {name: Images(split, SIZE) for name, split in tiny.items()}
    cifar = open_source(FitConfig(data="cifar10", train_examples=10_000, test_examples=5_000))
    target = {name: Images(cifar.splits[name], SIZE) for name in ("train", "test")}
    times = {name: seconds_per_step(build(*shape)[0]) for name, shape in CANDIDATES.items()}
    for name, shape in CANDIDATES.items():
        model, features = build(*shape)
        steps = int(minutes * 60 / times[name])
        epochs = steps * BATCH / len(source["train"])
        batches = training_batches(
            source["train"], BATCH, seed=0, epochs=int(epochs) + 1, augment=AUGMENT
        )
        compiled(model, steps).fit(batches.take(steps), shuffle=False, verbose=0)
        probabilities = keras.Model(model.input, keras.layers.Softmax()(model.output))
        own = predict_splits(probabilities, {"validation": source["validation"]}, 500)
        print(
            f"{name}: {features.count_params():,} parameters, {BATCH / times[name]:.0f} images/s, "
            f"{epochs:.2f} epochs, "
            f"source {accuracy(own['validation'], source['validation'].labels):.3f}, "
            f"CIFAR-10 {linear_accuracy(features, target):.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
