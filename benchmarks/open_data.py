"""Time and memory of opening and checking a folder of many images.

    python benchmarks/open_data.py --images 200000

Writes PNG files of a few hundred bytes in 20 classes, and opens them in a new process: without
splitting (`open_as_it_is`: lists the files and samples their size), and split by content
(`open_source`: reads each file once). `--check` also runs `tfxfer check`, which decodes all files.
Memory is the peak on top of the imports.
"""

import argparse
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


def write_images(folder: pathlib.Path, count: int) -> None:
    """Writes small files with different content."""
    generator = np.random.default_rng(0)
    for number in range(20):
        (folder / f"class {number}").mkdir()
    for start in range(0, count, 1000):
        pixels = generator.integers(0, 256, (1000, 8, 8, 3), dtype=np.uint8)
        for number, image in enumerate(pixels, start=start):
            content = tf.io.encode_png(image).numpy()
            (folder / f"class {number % 20}" / f"{number:07}.png").write_bytes(content)


def main() -> None:
    """Prints seconds and megabytes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    print(measuring.facts())
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory)
        write_images(folder, options.images)
        for what in ("names", "splits"):
            command = [sys.executable, "-c", OPEN, what, str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds, megabytes = map(float, done.stdout.split()[-2:])
            print(f"{what}: {seconds:.1f} s, {megabytes:.0f} MB more")
        if options.check:
            start = time.perf_counter()
            subprocess.run(["tfxfer", "check", str(folder)], capture_output=True, check=False)
            print(f"check: {time.perf_counter() - start:.1f} s, whole process")


if __name__ == "__main__":
    main()
