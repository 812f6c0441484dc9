"""Images per second of epochs in which every photograph is read and decoded again.

    python benchmarks/stream_data.py PHOTOS --images 100000 --directory /tmp/stream

Copies photographs of class folders, each copy with another comment, until there are so many files,
and writes the same as TFRecords. Then it measures, in turn in one process: the decoder, which is
the function that decodes and resizes, on contents in memory, as many at a time as there are cores;
and batches of an epoch from files and from TFRecords, of which nothing is cached. Processor time is
that of the process. With other work on the machine compare processor times.
"""

import itertools
import os
import pathlib
import time
from collections.abc import Iterator

import measuring
import tensorflow as tf

from tfxfer.cli.allocator import keep_freed_memory
from tfxfer.data.batches import training_batches
from tfxfer.data.image.dataset import Images
from tfxfer.data.opening import open_as_it_is
from tfxfer.data.source import untuned
from tfxfer.system.timing.spans import Moment

IN_SHARD, IN_MEMORY = 10_000, 2048
SIZE, BATCH = 224, 32
# Batches that a pipeline may have ready before it is measured.
BUFFERED = 8
CORES = len(os.sched_getaffinity(0))


def write_photographs(photos: pathlib.Path, directory: pathlib.Path, count: int) -> None:
    """Writes files and TFRecords of as many photographs."""
    names = sorted(path for path in photos.rglob("*.jpg"))
    classes = sorted({path.parent.name for path in names})
    for name in classes:
        (directory / "files" / name).mkdir(parents=True)
    (directory / "records").mkdir()
    numbered = enumerate(itertools.islice(itertools.cycle(names), count))
    for shard in range(-(-count // IN_SHARD)):
        path = directory / "records" / f"train-{shard:05}-of-{-(-count // IN_SHARD):05}"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for number, photo in itertools.islice(numbered, IN_SHARD):
                content, name = commented(photo.read_bytes(), number), photo.parent.name
                (directory / "files" / name / f"{number:07}.jpg").write_bytes(content)
                writer.write(record(content, classes.index(name)))


def commented(content: bytes, number: int) -> bytes:
    """Returns a JPEG with a number as a comment, behind its first table."""
    text = f"{number:08}".encode()
    table = content.index(b"\xff\xdb") + 2
    end = table + int.from_bytes(content[table : table + 2], "big")
    return content[:end] + b"\xff\xfe" + (2 + len(text)).to_bytes(2, "big") + text + content[end:]


def record(content: bytes, label: int) -> bytes:
    """Returns an example."""
    features = {
        "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[content])),
        "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def opened(path: pathlib.Path) -> Images:
    """Returns images of which nothing is cached."""
    begun = time.perf_counter()
    source = open_as_it_is(str(path))
    images = Images(source.splits["train"], SIZE, 0, None, by_content=True)
    print(f"{path.name}: {len(images):,} opened in {time.perf_counter() - begun:.1f} s")
    return images


def decoded(images: Images, _: int) -> Iterator[int]:
    """Decodes contents in memory, again and again; yields how many."""
    contents = next(iter(images.split.open_images().batch(IN_MEMORY)))
    # One number of each image is left: to put images together is no part of decoding.
    numbers = (
        tf.data.Dataset.range(len(contents))
        .repeat()
        .map(lambda i: images.prepare(contents[i])[0, 0, 0], CORES)
        .batch(BATCH)
    )
    return map(len, untuned(numbers))


def streamed(images: Images, seed: int) -> Iterator[int]:
    """Reads epochs of batches; yields how many images are in each."""
    batches = training_batches(images, BATCH, seed=seed, epochs=100)
    return (len(batch) for batch, _ in batches)


def measured(batches: Iterator[int], count: int) -> tuple[float, float]:
    """Returns the wall time and the processor time of an image, in microseconds."""
    for _ in range(BUFFERED):
        next(batches)
    begun, done = Moment.now(), 0
    while done < count:
        done += next(batches)
    ended = Moment.now()
    return 1e6 * (ended.seconds - begun.seconds) / done, 1e6 * (ended.cpu - begun.cpu) / done


def main() -> None:
    """Prints times of an image, and how near epochs come to the decoder."""
    parser = measuring.command_line(__doc__, 5)
    parser.add_argument("photos", type=pathlib.Path)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--measured", type=int, default=2000, help="Images of each repeat.")
    parser.add_argument("--directory", type=pathlib.Path, required=True)
    options = parser.parse_args()
    keep_freed_memory()  # as the command does
    if not (options.directory / "files").exists():
        write_photographs(options.photos, options.directory, options.images)
    facts = measuring.facts()
    files, records = (opened(options.directory / name) for name in ("files", "records"))
    ways = {
        "decoder": (decoded, records),
        "files": (streamed, files),
        "records": (streamed, records),
    }
    # Opened each time: a pipeline that is left open goes on filling its buffers.
    repeats = [
        {
            way: measured(read(images, number), options.measured)
            for way, (read, images) in ways.items()
        }
        for number in range(options.repeats)
    ]
    columns = {
        way: {
            "wall microseconds": [repeat[way][0] for repeat in repeats],
            "processor microseconds": [repeat[way][1] for repeat in repeats],
            "decoder's / its wall time": [
                repeat["decoder"][0] / repeat[way][0] for repeat in repeats
            ],
            "decoder's / its processor time": [
                repeat["decoder"][1] / repeat[way][1] for repeat in repeats
            ],
        }
        for way in ways
    }
    digits = {"decoder's / its wall time": 2, "decoder's / its processor time": 2}
    measuring.finish(options, facts, columns, digits, repeats)


if __name__ == "__main__":
    main()
