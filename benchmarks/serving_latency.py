"""Latency of an export for one image file, and memory for a large one.

    python benchmarks/serving_latency.py RUN IMAGE

RUN is the directory of a run and IMAGE a JPEG file. In one process, in alternation: the exported
signature; decoding and resizing alone; the network alone on an image in memory, both compiled. The
ratio is that of the signature to the sum of the parts. Then the signature gets a JPEG of 50
megapixels, in a separate process, and the additional memory over a small one is printed.
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import measuring
import numpy as np
import tensorflow as tf

import tfxfer
from tfxfer.data.image.channels import decode_and_resize
from tfxfer.runs.versions import versions

LARGE = (5773, 8660)  # height and width, 50 megapixels

# The peak comes from /proc: getrusage also counts the memory of the process before exec.
PEAK = """
import re, sys
import tensorflow as tf
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
for path in sys.argv[2:]:
    serve(image_bytes=tf.constant([open(path, "rb").read()]))
    print(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1])
"""


def milliseconds(function: Callable[[], object], calls: int) -> float:
    """Returns the median time of a call."""
    taken = []
    for _ in range(calls):
        start = time.perf_counter()
        function()
        taken.append(1e3 * (time.perf_counter() - start))
    return statistics.median(taken)


def large_image_megabytes(export: pathlib.Path, small: pathlib.Path) -> float:
    """Returns the additional peak memory for a JPEG of 50 megapixels, in units of 1e6 bytes."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    pixels = tf.cast(tf.image.resize(noise, LARGE), tf.uint8)
    with tempfile.NamedTemporaryFile(suffix=".jpg") as large:
        large.write(tf.io.encode_jpeg(pixels).numpy())
        large.flush()
        command = [sys.executable, "-c", PEAK, str(export), str(small), large.name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    return (after - before) * 1024 / 1e6  # proc(5): KiB


def main() -> None:
    """Prints medians and ranges."""
    parser = measuring.command_line(__doc__, repeats=5)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("image", type=pathlib.Path)
    parser.add_argument("--calls", type=int, default=50, help="Calls per repeat [default: 50]")
    options = parser.parse_args()
    facts = measuring.facts()
    trained = tfxfer.load(options.run)
    size = trained.input_size
    export = versions(pathlib.Path(trained.config.export_dir, options.run.resolve().name))[-1]
    serve = tf.saved_model.load(str(export)).signatures["serving_default"]
    encoded = tf.constant([options.image.read_bytes()])
    decoding = tf.function(lambda x: decode_and_resize(x, size)).get_concrete_function(encoded[0])
    square = tf.cast(decoding(encoded[0])[None], tf.float32)
    network = tf.function(lambda x: trained.model(x, training=False)).get_concrete_function(square)
    functions = {
        "signature": lambda: serve(image_bytes=encoded),
        "decode and resize": lambda: decoding(encoded[0]),
        "network": lambda: network(square),
    }
    for function in functions.values():
        milliseconds(function, 10)
    repeats = []
    for _ in range(options.repeats):
        taken = {
            name: milliseconds(function, options.calls) for name, function in functions.items()
        }
        parts = taken["decode and resize"] + taken["network"]
        repeats.append(taken | {"signature / sum of the parts": taken["signature"] / parts})
    columns = {"milliseconds": {name: [run[name] for run in repeats] for name in repeats[0]}}
    measuring.finish(options, facts, columns, dict.fromkeys(repeats[0], 2), repeats)
    print(
        f"\n50 megapixels: {large_image_megabytes(export, options.image):,.0f} MB additional peak"
    )


if __name__ == "__main__":
    main()
