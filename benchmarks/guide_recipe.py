"""Time and accuracy of the two-phase recipe that people copy from the Keras guide.

A faithful rendering of keras.io/guides/transfer_learning on a class-per-folder data set: resize,
random flips and small rotations, MobileNetV2 with `training=False`, average pooling, dropout 0.2,
Adam at 1e-3 with the backbone frozen, then Adam at 1e-5 with everything unfrozen.

    python benchmarks/guide_recipe.py DATA --seeds 0 1 2

`DATA` holds `train/CLASS/` and `val/CLASS/`. One JSON line per seed goes to standard output.
"""

import argparse
import json
import pathlib
import statistics
import time

import keras
import tensorflow as tf


def load_split(directory: pathlib.Path, size: int, batch_size: int, seed: int) -> tf.data.Dataset:
    return keras.utils.image_dataset_from_directory(
        directory,
        image_size=(size, size),
        batch_size=batch_size,
        shuffle=directory.name == "train",
        seed=seed,
        verbose=False,
    )


def run(data: pathlib.Path, size: int, epochs: int, batch_size: int, seed: int) -> dict:
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    start = time.perf_counter()
    train = load_split(data / "train", size, batch_size, seed)
    validation = load_split(data / "val", size, batch_size, seed)
    num_classes = len(train.class_names)
    flip = keras.layers.RandomFlip("horizontal", seed=seed)
    rotate = keras.layers.RandomRotation(0.1, seed=seed)
    train = train.map(lambda x, y: (rotate(flip(x)), y), tf.data.AUTOTUNE)
    train, validation = train.prefetch(tf.data.AUTOTUNE), validation.prefetch(tf.data.AUTOTUNE)

    backbone = keras.applications.MobileNetV2(
        weights="imagenet", input_shape=(size, size, 3), include_top=False
    )
    backbone.trainable = False
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = backbone(x, training=False)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(0.2)(x)
    model = keras.Model(inputs, keras.layers.Dense(num_classes)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    model.compile(keras.optimizers.Adam(), loss, metrics=["accuracy"])
    head = model.fit(train, validation_data=validation, epochs=epochs, verbose=0)
    head_seconds = time.perf_counter() - start

    backbone.trainable = True
    model.compile(keras.optimizers.Adam(1e-5), loss, metrics=["accuracy"])
    finetune = model.fit(train, validation_data=validation, epochs=epochs, verbose=0)
    seconds = time.perf_counter() - start
    return {
        "data": data.name,
        "seed": seed,
        "head_accuracy": head.history["val_accuracy"],
        "finetune_accuracy": finetune.history["val_accuracy"],
        "accuracy": finetune.history["val_accuracy"][-1],
        "head_seconds": round(head_seconds, 1),
        "seconds": round(seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--epochs", type=int, default=5, help="of each phase")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    results = []
    for seed in options.seeds:
        results.append(run(options.data, options.size, options.epochs, options.batch_size, seed))
        print(json.dumps(results[-1]), flush=True)
    accuracies = [result["accuracy"] for result in results]
    print(
        f"{options.data.name}: accuracy {statistics.median(accuracies):.4f} "
        f"({min(accuracies):.4f} to {max(accuracies):.4f}), "
        f"{statistics.median(result['seconds'] for result in results):.0f} s"
    )


if __name__ == "__main__":
    main()
