"""Time and memory of opening and checking a folder of many images.

    python benchmarks/open_data.py --images 200000
    python benchmarks/open_data.py --images 1300000 --classes 1000

Writes PNG files of a few hundred bytes, and opens them in a new process: without splitting
(`open_as_it_is`: lists the files and samples their size), split by content (`open_source`: reads
each file once), and split again, which finds the digests of the files in the cache. Memory is the
peak on top of the imports. Then `tfxfer fit --dry-run` makes a plan, twice with a cache of its own.
`--check` also runs `tfxfer check`, which decodes all files.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import measuring
import numpy as np
import tensorflow as tf

OPEN = """
import sys, time
from tfxfer.config.schema import FitConfig
from tfxfer.data.opening import open_as_it_is, open_source

def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1000

before, start = peak(), time.perf_counter()
if sys.argv[1] == "names":
    open_as_it_is(sys.argv[2])
else:
    open_source(FitConfig(data=sys.argv[2]))
print(time.perf_counter() - start, peak() - before)
"""


def write_images(folder: pathlib.Path, count: int, num_classes: int) -> None:
    """Writes small files with different content."""
    generator = np.random.default_rng(0)
    for number in range(num_classes):
        (folder / f"class {number}").mkdir(parents=True)
    for start in range(0, count, 1000):
        pixels = generator.integers(0, 256, (1000, 8, 8, 3), dtype=np.uint8)
        for number, image in enumerate(pixels, start=start):
            content = tf.io.encode_png(image).numpy()
            (folder / f"class {number % num_classes}" / f"{number:07}.png").write_bytes(content)


def main() -> None:
    """Prints seconds and megabytes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    print(measuring.facts())
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory, "images")
        write_images(folder, options.images, options.classes)
        time.sleep(3)  # what has just changed is not trusted
        environment = {**os.environ, "TFXFER_CACHE_DIR": f"{directory}/cache"}
        for what in ("names", "splits", "splits"):
            command = [sys.executable, "-c", OPEN, what, str(folder)]
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, env=environment
            )
            seconds, megabytes = map(float, done.stdout.split()[-2:])
            print(f"{what}: {seconds:.1f} s, {megabytes:.0f} MB more")
        plan = [measuring.TFXFER, "fit", "--dry-run", "--data", folder]
        plan += ["--backbone", "mobilenet_025", "--weights", "none"]
        for _ in range(2):
            print("plan:", measuring.run([*plan, "--cache-dir", f"{directory}/plan"]).totals())
        if options.check:
            start = time.perf_counter()
            subprocess.run(["tfxfer", "check", str(folder)], capture_output=True, check=False)
            print(f"check: {time.perf_counter() - start:.1f} s, whole process")


if __name__ == "__main__":
    main()
