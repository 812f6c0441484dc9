"""How much time and memory a check of many pictures that look alike and many classes take.

    python benchmarks/scale.py

Neither images nor networks enter: hashes and probabilities are made up, as they come out of reading
the one and of asking the other. Each way is a process of its own, whose memory is asked of Linux.

- `check`: what is found in so many images is compared, described and written as JSON. Their hashes
  are all the same; a cluster, each up to five bits from one of them; each five bits from the one
  before; or of pictures in one frame, whose hashes have 96 bits in common.
- `classes`: two images of each class are judged, and all reports of them written but the pictures.
"""

import argparse
import json
import pathlib
import tempfile
import time

import measuring
import numpy as np

# So many images look alike, in so many ways.
_IMAGES = 50_000
_KINDS = ("the same", "in a ball", "in a chain", "in a frame")
_CLASSES = (1000, 5000, 10_000)


def hashes_of(kind: str, count: int) -> np.ndarray:
    """Returns 128 bits of each image, (count, 2)."""
    generator = np.random.default_rng(0)
    if kind == "the same":
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
    """Returns how long the findings on images with such hashes take, and how large the JSON is."""
    from tfxfer import checking
    from tfxfer.cache import ids_of
    from tfxfer.inspection import Inspection
    from tfxfer.sources.source import Source, in_any_order

    facts = Inspection(
        readable=np.ones(count, np.bool_),
        formats=np.full(count, "jpeg", "U4"),
        heights_widths=np.full((count, 2), 224, np.int32),
        orientations=np.ones(count, np.int32),
        looks=hashes_of(kind, count),
        contrasts=np.full(count, 255, np.float32),
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

    checking.inspect, checking.open_as_it_is = inspect, lambda data, data_dir: source
    start = time.perf_counter()
    result = checking.check("inspection")
    text = json.dumps(result.as_json(), indent=2) + result.describe()
    return {"seconds": time.perf_counter() - start, "MB written": len(text) / 1e6}


def judged(num_classes: int) -> dict[str, float]:
    """Returns how long two images of each class take to judge and report, and the files' sizes."""
    import jinja2  # noqa: F401
    import tensorflow as tf

    from tfxfer.evaluation import judge
    from tfxfer.reporting import events, page
    from tfxfer.run_directory import write_json
    from tfxfer.temperature import calibrate

    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(num_classes), 2)
    probabilities = generator.random((len(labels), num_classes), dtype=np.float32)
    right = generator.random(len(labels)) < 0.5
    probabilities[np.flatnonzero(right), labels[right]] += num_classes
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    names = tuple(f"class {number}" for number in range(num_classes))
    start = time.perf_counter()
    result = judge("things", "test", names, probabilities, labels)
    result.describe()
    calibrate({"validation": probabilities}, {"validation": labels})
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "evaluation.json")
        write_json(path, result.as_json())
        size = path.stat().st_size / 1e6
    evaluated = time.perf_counter() - start
    start = time.perf_counter()
    image = events._as_image(result.pairs if hasattr(result, "pairs") else result.confusion)
    tf.io.encode_png(image)
    table = _page(page, result)
    return {
        "seconds to evaluate": evaluated,
        "seconds to report": time.perf_counter() - start,
        "MB of JSON": size,
        "MB of page": len(table) / 1e6,
    }


def _page(page, result) -> str:
    """Returns the numbers, the classes and the matrix of a page."""
    import types

    findings = types.SimpleNamespace(
        result=result,
        counts={},
        metrics={},
        predicted=result.probabilities.argmax(axis=1),
        confidence=result.probabilities.max(axis=1),
    )
    page._behind_cells = lambda findings, shown: {}
    page.read_pictures = lambda images, numbers, side: np.zeros((0, side, side, 3), np.uint8)
    findings.images = None
    told = page._numbers(findings) | page._matrix(findings)
    rows = "".join(
        f"<tr>{''.join(f'<td>{v}</td>' for v in one.values())}</tr>" for one in told["classes"]
    )
    return rows + json.dumps(told["matrix"])


def peak_megabytes() -> float:
    """Returns the most memory that this process had."""
    status = pathlib.Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def main() -> None:
    """Prints a table of seconds and megabytes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=_IMAGES)
    parser.add_argument("--classes", type=int, nargs="*", default=_CLASSES)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        before = peak_megabytes()
        what, _, which = options.way.partition(" ")
        found = checked(which, options.images) if what == "check" else judged(int(which))
        print(json.dumps(found | {"MB of memory": peak_megabytes(), "MB before": before}))
        return
    ways = [f"check {kind}" for kind in _KINDS]
    ways += [f"classes {number}" for number in options.classes]
    for run in measuring.in_turn(ways, options.repeats):
        for way, found in run.items():
            print(f"{way:20s}", "  ".join(f"{key} {value:,.1f}" for key, value in found.items()))


if __name__ == "__main__":
    main()
