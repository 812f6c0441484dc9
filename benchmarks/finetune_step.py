"""Throughput of the fine-tuning loop, compared with the train step and the input pipeline alone.

    python benchmarks/finetune_step.py DATA [--backbone resnet50 --weights none] [--unfreeze all]
    python benchmarks/finetune_step.py DATA --batch-size 256 --precision mixed_bfloat16 --xla on

In one process, repeat by repeat, images per second of: the compiled train step on one batch in
memory; `fit` over several epochs of the real pipeline, with cached images, augmentation and the
same compiled step; the pipeline alone. Compilation is not timed.

The peak of the device is measured, too, by the product of two large square matrices in the compute
type of the layers. The share of it that the step reaches is computed from the operations of its
convolutions and dense layers: one forward pass, and two of its size backward for trainable layers.
"""

import math
import statistics
import time

import keras
import measuring
import tensorflow as tf

from tfxfer.cli.allocator import keep_freed_memory
from tfxfer.config.schema import FitConfig
from tfxfer.data.batches import training_batches
from tfxfer.data.image.screening import open_images
from tfxfer.models.layers import leaf_layers
from tfxfer.planning.plan import make_plan
from tfxfer.training.epochs.loop import compiled_view


def step_operations(model: keras.Model) -> float:
    """Returns the floating-point operations of a train step per image."""
    total = 0.0
    for layer in leaf_layers(model):
        for kernel in (weight for weight in layer.weights if "kernel" in weight.name):
            places = math.prod(layer.output.shape[1:-1])
            total += 2 * math.prod(kernel.shape) * places * (3 if kernel.trainable else 1)
    return total


def device_operations(dtype: str, side: int) -> float:
    """Returns the floating-point operations per second of a matrix product."""
    matrix = tf.cast(tf.random.stateless_uniform((side, side), (0, 0)), dtype)
    product = tf.function(lambda: tf.reduce_sum(tf.matmul(matrix, matrix)))
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        product().numpy()
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / statistics.median(seconds[1:])  # the first call traces


def main() -> None:
    """Prints medians and ranges, and the ratio of each repeat to its own train step."""
    parser = measuring.command_line(__doc__, repeats=5)
    measuring.add_data_options(parser)
    parser.add_argument("--unfreeze")
    parser.add_argument("--steps", type=int, default=32, help="per repeat [default: 32]")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--precision")
    parser.add_argument("--xla", choices=("on", "off"), help="[default: as a fit decides]")
    options = parser.parse_args()
    keep_freed_memory()  # as the command does
    facts = measuring.facts()
    config = FitConfig(
        **measuring.data_settings(options),
        batch_size=options.batch_size,
        precision=options.precision or "auto",
        xla=options.xla or "auto",
        cache_gigabytes=0.0,
    ).with_settings({"finetune": {"unfreeze": options.unfreeze, "batch_norm": "frozen"}})
    plan = make_plan(config)
    config = plan.config
    classifier = plan.build_classifier(config.weights)
    classifier.unfreeze(config.finetune.unfreeze, config.finetune.batch_norm)
    images = open_images(plan.source.splits, config)[0]["train"]
    whole_batches = len(images) // config.batch_size
    epochs = -(-options.steps * (options.repeats + 1) // whole_batches) + 1

    def batches():
        drawn = training_batches(
            images, config.batch_size, seed=0, epochs=epochs, augment=config.augment
        )
        # A smaller last batch would not be comparable.
        return drawn.filter(lambda _, labels: tf.size(labels) == config.batch_size)

    view = compiled_view(classifier.halves().whole, config.finetune, config, options.steps)
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    compute_dtype = keras.DTypePolicy(config.precision).compute_dtype
    available = device_operations(compute_dtype, 8192 if on_gpu else 2048)
    needed = step_operations(classifier.model)
    repeated = iter(tf.data.Dataset.from_tensors(next(iter(batches()))).repeat())
    repeats = []

    class Stopwatch(keras.callbacks.Callback):
        """Times each epoch of the loop and, between epochs, the step and the pipeline."""

        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            seconds = {"train step": 0.0, "fine-tuning loop": time.perf_counter() - self.start}
            start = time.perf_counter()
            for _ in range(options.steps):
                logs = view.train_function(repeated)
            keras.ops.convert_to_numpy(logs["loss"])
            seconds["train step"] = time.perf_counter() - start
            start = time.perf_counter()
            for _ in batches().take(options.steps):
                pass
            seconds["pipeline alone"] = time.perf_counter() - start
            repeats.append({n: options.steps * config.batch_size / s for n, s in seconds.items()})

    view.fit(
        batches(),
        steps_per_epoch=options.steps,
        epochs=options.repeats + 1,
        callbacks=[Stopwatch()],
        shuffle=False,
        verbose=0,
    )
    del repeats[0]  # compiles
    columns = {
        "images per second": {name: [run[name] for run in repeats] for name in repeats[0]},
        "ratio to train step": {
            name: [run[name] / run["train step"] for run in repeats] for name in repeats[0]
        },
        "share of peak FLOP/s": {
            name: [
                None if name == "pipeline alone" else run[name] * needed / available
                for run in repeats
            ]
            for name in repeats[0]
        },
    }
    print(
        f"{plan.backbone.name} at {config.image_size}, unfreeze {config.finetune.unfreeze}, "
        f"{config.precision}, XLA {config.xla}: {needed / 1e9:.2f} GFLOP per image, peak "
        f"{available / 1e9:,.0f} GFLOP/s"
    )
    measuring.finish(options, facts, columns, dict.fromkeys(repeats[0], 3), repeats)


if __name__ == "__main__":
    main()
