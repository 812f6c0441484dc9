"""Speed of TensorFlow if the C library keeps freed memory; see `tfxfer/cli/allocator.py`.

    python benchmarks/freed_memory.py [--backbone mobilenetv2] [--batch-size 32]

Whole processes, in alternation, with freed memory returned to the system and kept. In each, images
per second of the compiled forward pass and train step on one batch in memory, with BatchNorm frozen
and random weights, and the peak memory of the process.
"""

import json
import re
import time

import measuring

WAYS = ("returned", "kept")
_STEPS = 6


def measure(options) -> None:
    """Prints images per second and the peak memory in units of 1e6 bytes as JSON."""
    if options.way == "kept":
        from tfxfer.cli.allocator import keep_freed_memory

        if not keep_freed_memory():
            raise SystemExit("The C library is not glibc, or another allocator is set.")
    import keras
    import numpy as np

    from tfxfer.config.schema import FitConfig, HeadConfig
    from tfxfer.models.backbones.registry import BACKBONES
    from tfxfer.models.classifier import build_classifier

    backbone = BACKBONES[options.backbone]
    size = backbone.native_size
    config = FitConfig(image_size=size, input_size=size, precision="float32")
    classifier = build_classifier(backbone, config, HeadConfig(dropout=0.0), "none", 10)
    classifier.unfreeze("all", "frozen")
    model = classifier.model
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (options.batch_size, size, size, 3)).astype("float32")
    labels = generator.integers(0, 10, options.batch_size)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1e-6), loss)
    found = {}
    for name, step in (
        ("forward", lambda: model.predict_on_batch(images)),
        ("train", lambda: model.train_on_batch(images, labels)),
    ):
        step()  # compiles
        start = time.perf_counter()
        for _ in range(_STEPS):
            step()
        found[name] = _STEPS * options.batch_size / (time.perf_counter() - start)
    with open("/proc/self/status") as status:
        peak = re.search(r"VmHWM:\s*(\d+) kB", status.read())
    print(json.dumps(found | {"peak": int(peak[1]) * 1024 / 1e6}))


def main() -> None:
    """Prints medians and ranges, and the ratio of each repeat."""
    parser = measuring.command_line(__doc__, repeats=5)
    parser.add_argument("--backbone", default="mobilenetv2")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--way", choices=WAYS, help="run only this variant, in this process")
    options = parser.parse_args()
    if options.way:
        measure(options)
        return
    facts = measuring.facts()
    repeats = measuring.in_turn(WAYS, options.repeats)
    columns = {
        title: {way: [run[way][key] for run in repeats] for way in WAYS}
        for title, key in (
            ("forward, images/s", "forward"),
            ("train, images/s", "train"),
            ("peak memory, MB", "peak"),
        )
    }
    for key in ("forward", "train"):
        columns[f"{key}, ratio"] = {
            way: [run[way][key] / run[WAYS[0]][key] for run in repeats] for way in WAYS
        }
    measuring.finish(options, facts, columns, {}, repeats)


if __name__ == "__main__":
    main()
