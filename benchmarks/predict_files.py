"""`predict` on many small files, compared with the forward pass alone and with fewer files.

    python benchmarks/predict_files.py [--backbone mobilenetv2 --weights imagenet] [--files 10000]

The files are JPEGs of 64 pixels, resized to 224. Speed, in one process, repeat by repeat, in files
per second: the forward pass on a batch in memory, once per batch of files; `predict` on the files.
Memory of whole commands: the peak for a tenth of the files, and for all.
"""

import itertools
import pathlib
import subprocess
import sys
import tempfile
import time

import measuring
import numpy as np

from tfxfer.api.predict import predict
from tfxfer.cli.allocator import keep_freed_memory
from tfxfer.config.schema import FitConfig, HeadConfig
from tfxfer.inference.loading import load
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.classifier import build_classifier
from tfxfer.runs.class_names import write_class_names
from tfxfer.system.run_layout import classes_file

_CLASSES = tuple("abcdefghij")


def write_files(folder: pathlib.Path, count: int) -> list[pathlib.Path]:
    """Writes smooth random images, which compress like photographs."""
    import tensorflow as tf

    folder.mkdir()
    generator = np.random.default_rng(0)
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for path in paths:
        coarse = generator.integers(0, 256, (6, 6, 3)).astype("float32")
        image = tf.cast(tf.image.resize(coarse, (64, 64)), tf.uint8)
        path.write_bytes(tf.io.encode_jpeg(image).numpy())
    return paths


def peak_megabytes(model: pathlib.Path, files: pathlib.Path) -> float:
    """Returns the peak memory of `tfxfer predict`, in units of 1e6 bytes.

    The process measures itself: the parent would see at least its own memory.
    """
    program = (
        "import sys; from tfxfer.cli import main; main(sys.argv[1:], standalone_mode=False)\n"
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    words = [sys.executable, "-c", program, "predict", str(model), str(files)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def main() -> None:
    """Prints medians and ranges."""
    parser = measuring.command_line(__doc__, repeats=5)
    parser.add_argument("--backbone", default="mobilenetv2")
    parser.add_argument("--weights", default="none")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--batch-size", type=int, default=64)
    options = parser.parse_args()
    keep_freed_memory()  # as the command does
    facts = measuring.facts()
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        paths = write_files(folder / "files", options.files)
        backbone = BACKBONES[options.backbone]
        size = backbone.native_size
        config = FitConfig(image_size=size, input_size=size, precision="float32")
        head = HeadConfig(dropout=0.0)
        classifier = build_classifier(backbone, config, head, options.weights, len(_CLASSES))
        model = folder / "model.keras"
        classifier.with_probabilities().save(model)
        write_class_names(classes_file(model), _CLASSES)
        trained = load(model)
        squares = np.zeros((options.batch_size, size, size, 3), np.uint8)
        trained.predict_squares(squares)
        repeats = []
        # The first repeat compiles, and is dropped.
        for _ in range(options.repeats + 1):
            start = time.perf_counter()
            for _ in range(-(-options.files // options.batch_size)):
                trained.predict_squares(squares)
            bare = time.perf_counter() - start
            found = predict(model, paths, batch_size=options.batch_size)
            first = list(itertools.islice(found, options.batch_size))  # loads the model
            start = time.perf_counter()
            rest = sum(1 for _ in found)
            seconds = time.perf_counter() - start
            repeats.append(
                {"forward pass": options.files / bare, "predict": rest / seconds, "n": len(first)}
            )
        del repeats[0]
        few = folder / "few"
        few.mkdir()
        for path in paths[: options.files // 10]:
            (few / path.name).hardlink_to(path)
        memory = {
            name: peak_megabytes(model, where)
            for name, where in (("a tenth", few), ("all", folder / "files"))
        }
    rates = {name: [run[name] for run in repeats] for name in ("forward pass", "predict")}
    columns = {
        "files per second": rates,
        "ratio to forward pass": {
            name: [run[name] / run["forward pass"] for run in repeats] for name in rates
        },
    }
    for name, peak in memory.items():
        print(f"peak memory for {name} of the files: {peak:,.0f} MB")
    measuring.finish(options, facts | {"memory": memory}, columns, dict.fromkeys(rates, 2), repeats)


if __name__ == "__main__":
    sys.exit(main())
