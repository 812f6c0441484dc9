"""The two-phase recipe of the Keras transfer-learning guide; prints one JSON line.

    python benchmarks/guide_recipe.py DATA --seed 0

Implements keras.io/guides/transfer_learning on a folder dataset, `DATA` with `train/CLASS/` and
`val/CLASS/`: resize, random flips and small rotations, batches of 64, all cached after the first
epoch, a backbone with `training=False`, average pooling, dropout 0.2, Adam at 1e-3 with the
backbone frozen, then Adam at 1e-5 with everything unfrozen.

The JSON has the validation accuracy of each epoch with the second at which it ended, and the
seconds of each part. Times start with the process. `fit_vs_guide.py` runs this over several seeds,
and tfxfer for comparison.
"""

import argparse
import json
import pathlib
from collections.abc import Callable

import keras
import tensorflow as tf
from measuring import since_start

# Builder, and the preprocessing of pixels in [0, 255].
BACKBONES = {
    "mobilenetv2": (keras.applications.MobileNetV2, keras.layers.Rescaling(1 / 127.5, offset=-1)),
    "resnet50": (keras.applications.ResNet50, keras.applications.resnet.preprocess_input),
}

Build = Callable[[argparse.Namespace, int], tuple[keras.Model, keras.Model]]


def load_split(directory: pathlib.Path, options: argparse.Namespace) -> tf.data.Dataset:
    return keras.utils.image_dataset_from_directory(
        directory,
        image_size=(options.size, options.size),
        batch_size=options.batch_size,
        shuffle=directory.name == "train",
        seed=options.seed,
        verbose=False,
    )


def load_data(options: argparse.Namespace) -> tuple[tf.data.Dataset, tf.data.Dataset, int]:
    """Returns training batches, validation batches and the number of classes."""
    train = load_split(options.data / "train", options)
    validation = load_split(options.data / "val", options)
    num_classes = len(train.class_names)
    flip = keras.layers.RandomFlip("horizontal", seed=options.seed)
    rotate = keras.layers.RandomRotation(0.1, seed=options.seed)
    train = train.map(lambda x, y: (rotate(flip(x)), y), tf.data.AUTOTUNE)
    train, validation = train.prefetch(tf.data.AUTOTUNE), validation.prefetch(tf.data.AUTOTUNE)
    if options.augment_each_epoch:
        return train, validation, num_classes
    return train.cache(), validation.cache(), num_classes


def build_model(options: argparse.Namespace, num_classes: int) -> tuple[keras.Model, keras.Model]:
    """Returns the guide's classifier and the backbone inside it."""
    builder, preprocess = BACKBONES[options.backbone]
    shape = (options.size, options.size, 3)
    weights = None if options.weights == "none" else options.weights
    backbone = builder(weights=weights, input_shape=shape, include_top=False)
    inputs = keras.Input(shape)
    x = backbone(preprocess(inputs), training=False)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(0.2)(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes)(x)), backbone


def fit_both_phases(build: Build, description: str) -> None:
    """Parses the command line, trains the model of `build` in two phases, and prints the JSON."""
    marks = {"imports": since_start()}
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--backbone", choices=BACKBONES, default="mobilenetv2")
    parser.add_argument("--weights", default="imagenet", help="'imagenet', 'none', or a file.")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--epochs", type=int, default=5, help="Epochs per phase.")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--augment-each-epoch",
        action="store_true",
        help="Decode and augment in each epoch, which the guide does not.",
    )
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    train, validation, num_classes = load_data(options)
    model, backbone = build(options, num_classes)
    marks["build"] = since_start()
    epochs = []

    def record(epoch: int, logs: dict) -> None:
        accuracy = round(logs["val_accuracy"], 4)
        epochs.append({"second": round(since_start(), 2), "validation_accuracy": accuracy})

    for phase, rate in (("head", 1e-3), ("finetune", 1e-5)):
        backbone.trainable = phase == "finetune"
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
        watch = keras.callbacks.LambdaCallback(on_epoch_end=record)
        model.fit(
            train,
            validation_data=validation,
            epochs=options.epochs,
            verbose=0,
            callbacks=[watch],
        )
        marks[phase] = since_start()
    starts = [0, *marks.values()]
    seconds = {
        name: round(end - start, 2)
        for (name, end), start in zip(marks.items(), starts, strict=False)
    }
    print(json.dumps({"seed": options.seed, "epochs": epochs, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    fit_both_phases(build_model, __doc__)
