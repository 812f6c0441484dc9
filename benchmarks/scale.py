"""Time and memory of checking many near-duplicates, and of evaluating many classes.

    python benchmarks/scale.py

Each variant runs in its own process.

- `check`: finds near-duplicates among 50,000 images, describes them and writes JSON; reading the
  images is not included. Their perceptual hashes are synthetic: all identical; in a ball, each five
  bits from one of them; in a chain, each five bits from the previous one; in a frame, with 96 bits
  in common.
- `classes`: evaluates synthetic probabilities of two images per class, describes and writes them.
- `fit`: a whole fit on two images of 16 pixels per class, with report and export.

Memory of the first two is on top of TensorFlow's 700 MB and of their input.
"""

import argparse
import json
import pathlib
import tempfile
import time
from collections.abc import Callable
from typing import Any

import measuring
import numpy as np
from PIL import Image

# Number of near-duplicates, and how their hashes are related.
_IMAGES = 50_000
_KINDS = ("identical", "in a ball", "in a chain", "in a frame")
_CLASSES = (1000, 5000, 10_000)


def hashes_of(kind: str, count: int) -> np.ndarray:
    """Returns perceptual hashes of 128 bits, shape (count, 2)."""
    generator = np.random.default_rng(0)
    if kind == "identical":
        return np.full((count, 2), 0x0123456789ABCDEF, np.uint64)
    if kind == "in a frame":
        varying = generator.integers(2**32, size=count, dtype=np.uint64)
        return np.stack([np.full(count, 7, np.uint64), varying], axis=1)
    bits = np.zeros((count, 128), np.uint8)
    for row in bits:
        row[generator.choice(128, 5, replace=False)] = 1
    if kind == "in a chain":
        bits = np.bitwise_xor.accumulate(bits, axis=0)
    return np.packbits(bits, axis=1).view(np.uint64)


def checked(kind: str, count: int) -> dict[str, float]:
    """Measures the findings on images with such hashes."""
    import tfxfer.api.check as checking
    import tfxfer.data.checks.examples as looking
    from tfxfer.data.image.inspection import Inspection
    from tfxfer.data.source import Source, in_any_order
    from tfxfer.system.digests import ids_of

    facts = Inspection(
        readable=np.ones(count, np.bool_),
        formats=np.full(count, "JPEG", "U4"),
        heights_widths=np.full((count, 2), 224, np.int32),
        orientations=np.ones(count, np.int32),
        perceptual_hashes=hashes_of(kind, count),
        contrasts=np.full(count, 255, np.float32),
        peaks=np.full(count, 255, np.uint8),
    )
    ids = ids_of((str(number).encode(),) for number in range(count))
    names = [
        f"/inspection/2024/line 3/camera 1/picture {number:06d}.jpg" for number in range(count)
    ]

    def split(start: int, end: int):
        return in_any_order(
            np.arange(start, end) % 2,
            lambda i: i,
            lambda i: names[start + i],
            lambda: ids[start:end],
        )

    middle = count * 9 // 10
    splits = {"train": split(0, middle), "test": split(middle, count)}
    source = Source("inspection", ("good", "bad"), splits, (224, 224))
    parts = iter((slice(0, middle), slice(middle, count)))

    def inspect(split, name):
        part = next(parts)
        return Inspection(**{key: value[part] for key, value in vars(facts).items()})

    looking.inspect, checking.open_as_it_is = inspect, lambda data, data_dir: source
    return measured(lambda: checking.check("inspection"))


def evaluated(num_classes: int) -> dict[str, float]:
    """Measures the evaluation of two images per class."""
    from tfxfer.data.labels.outputs import Outputs
    from tfxfer.evaluation.predictions import evaluate_predictions

    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(num_classes), 2)
    probabilities = generator.random((len(labels), num_classes), dtype=np.float32)
    is_correct = generator.random(len(labels)) < 0.5
    probabilities[is_correct, labels[is_correct]] += num_classes
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    outputs = Outputs(tuple(f"class {number}" for number in range(num_classes)))
    return measured(lambda: evaluate_predictions("things", "test", outputs, probabilities, labels))


def fitted(num_classes: int) -> dict[str, float]:
    """Measures a fit on two small images per class, with everything that it writes."""
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        for number in range(num_classes):
            own = place / "images" / f"class {number:05d}"
            own.mkdir(parents=True)
            coarse = generator.integers(256, size=(4, 4, 3), dtype=np.uint8)
            for copy in range(2):
                noise = generator.integers(-30, 30, coarse.shape)
                pixels = np.clip(coarse + noise, 0, 255).astype(np.uint8)
                image = Image.fromarray(pixels).resize((16, 16), Image.Resampling.BICUBIC)
                image.save(own / f"{copy}.png")
        places = [f"--{name}={place / name}" for name in ("runs-dir", "export-dir", "cache-dir")]
        settings = ["--backbone", "resnet10_small", "--unfreeze", "none", "--run", "fit"]
        done = measuring.run(
            [measuring.TFXFER, "fit", "--data", place / "images", *settings, *places]
        )
        run = place / "runs-dir" / "fit"
        sizes = {
            name: (run / name).stat().st_size / 1e6 for name in ("evaluation.json", "report.html")
        }
    return {
        "seconds": done.seconds,
        "CPU seconds": done.cpu_seconds,
        "MB of memory": done.peak_megabytes,
        **{f"MB of {name}": size for name, size in sizes.items()},
    }


def measured(work: Callable[[], Any]) -> dict[str, float]:
    """Returns time and memory to compute a result, describe it and write it as JSON."""
    before, start, of_cpu = peak_megabytes(), time.perf_counter(), time.process_time()
    result = work()
    text = json.dumps(result.as_json(), indent=2) + result.describe()
    return {
        "seconds": time.perf_counter() - start,
        "CPU seconds": time.process_time() - of_cpu,
        "additional MB": peak_megabytes() - before,
        "MB written": len(text) / 1e6,
    }


def peak_megabytes() -> float:
    """Returns the peak memory of this process, in units of 1e6 bytes."""
    status = pathlib.Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def main() -> None:
    """Prints a table of seconds and megabytes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=_IMAGES)
    parser.add_argument("--classes", type=int, nargs="*", default=_CLASSES)
    parser.add_argument("--fit", type=int, default=5000, help="classes of a whole fit")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        what, _, which = options.way.partition(" ")
        if what == "check":
            found = checked(which, options.images)
        else:
            found = {"classes": evaluated, "fit": fitted}[what](int(which))
        print(json.dumps(found))
        return
    ways = [f"check {kind}" for kind in _KINDS]
    ways += [f"classes {number}" for number in options.classes]
    ways += [f"fit {options.fit}"] if options.fit else []
    for run in measuring.in_turn(ways, options.repeats):
        for way, found in run.items():
            print(f"{way:20s}", "  ".join(f"{key} {value:,.1f}" for key, value in found.items()))


if __name__ == "__main__":
    main()
