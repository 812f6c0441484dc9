"""Real multi-label and multi-task data, made by a rule: frames of two pictures, and CIFAR-10.

    python benchmarks/several_labels.py frames FOLDER hymenoptera flowers5_small
    tfxfer fit --data FOLDER/frames.csv --fit-images pad --backbone mobilenetv2 --effort quick
    python benchmarks/several_labels.py served FOLDER/frames.csv EXPORT

    python benchmarks/several_labels.py cifar10 FOLDER --data-dir DATA_DIR
    tfxfer fit --data FOLDER/both.csv --tasks class,kind ...
    tfxfer fit --data FOLDER/class.csv ...
    tfxfer fit --data FOLDER/kind.csv ...

A frame has two pictures side by side, drawn at random from folders of classes (`train` and `val`),
and the labels of both: one where they are of the same class. Each training picture is in two
frames. No picture is in two splits: a fifth of those in `train` is for validation, those in `val`
are for testing.

`served` asks an export in a process that does not import tfxfer for the labels of the test frames,
and prints their mean average precision and F1 (scikit-learn).

`cifar10` writes manifests of the prepared TFDS dataset: the class, whether it is an animal or a
machine, and both.
"""

import argparse
import csv
import pathlib

import numpy as np
import tensorflow as tf

SIDE = 224

ANIMALS = ("bird", "cat", "deer", "dog", "frog", "horse")


def pictures(folders: list[pathlib.Path]) -> dict[str, list[pathlib.Path]]:
    """Returns the pictures of each split, in random order; their folders are their classes."""
    generator = np.random.default_rng(0)
    found = {}
    for split in ("train", "val"):
        files = sorted(file for one in folders for file in (one / split).glob("*/*.jpg"))
        found[split] = [files[place] for place in generator.permutation(len(files))]
    fifth = len(found["train"]) // 5
    parts = found["train"][fifth:], found["train"][:fifth], found["val"]
    return dict(zip(("train", "validation", "test"), parts, strict=True))


def square(file: pathlib.Path) -> tf.Tensor:
    """Returns the center of a picture."""
    image = tf.io.decode_image(file.read_bytes(), channels=3, expand_animations=False)
    side = min(image.shape[:2])
    cropped = tf.image.resize_with_crop_or_pad(image, side, side)
    return tf.image.resize(cropped, (SIDE, SIDE), antialias=True)


def write_frames(folder: pathlib.Path, folders: list[pathlib.Path]) -> None:
    """Writes the frames and their manifest."""
    generator, rows = np.random.default_rng(1), []
    for split, files in pictures(folders).items():
        times = 2 if split == "train" else 1
        order = np.concatenate([generator.permutation(len(files)) for _ in range(times)])
        (folder / split).mkdir(parents=True, exist_ok=True)
        for number, pair in enumerate(order[: len(order) // 2 * 2].reshape(-1, 2)):
            two = [files[place] for place in pair]
            frame = tf.concat([square(file) for file in two], axis=1)
            encoded = tf.io.encode_jpeg(tf.cast(tf.round(frame), tf.uint8), quality=95)
            path = folder / split / f"{number}.jpg"
            path.write_bytes(encoded.numpy())
            labels = sorted({file.parent.name for file in two})
            rows.append((f"{split}/{path.name}", "|".join(labels), split))
    write_manifest(folder / "frames.csv", ("path", "labels", "split"), rows)


def write_cifar10(folder: pathlib.Path, data_dir: str | None) -> None:
    """Writes manifests of CIFAR-10 with the class, with its kind, and with both."""
    import tensorflow_datasets as tfds

    builder = tfds.builder("cifar10", data_dir=data_dir)
    names = builder.info.features["label"].names
    config = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    skipped = {"image": tfds.decode.SkipDecoding()}
    rows = []
    for split in ("train", "test"):
        examples = builder.as_dataset(split=split, decoders=skipped, read_config=config)
        for number, label in enumerate(examples.map(lambda one: one["label"])):
            name = names[int(label)]
            kind = "animal" if name in ANIMALS else "machine"
            rows.append((f"cifar10 {split} #{number}", split, "cifar10", name, kind))
    folder.mkdir(parents=True, exist_ok=True)
    columns = ("path", "split", "source")
    write_manifest(folder / "both.csv", (*columns, "class", "kind"), rows)
    write_manifest(folder / "class.csv", (*columns, "label"), [row[:4] for row in rows])
    write_manifest(folder / "kind.csv", (*columns, "label"), [(*row[:3], row[4]) for row in rows])


def write_manifest(path: pathlib.Path, columns: tuple, rows: list[tuple]) -> None:
    """Writes a manifest."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def judge_export(manifest: pathlib.Path, export: pathlib.Path) -> None:
    """Prints what an export knows of the test frames."""
    import sklearn.metrics

    with manifest.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    signature = tf.saved_model.load(str(export)).signatures["serving_default"]
    names = (export / "assets" / "labels.txt").read_text().split()
    probabilities, chosen = [], []
    for row in rows:
        content = (manifest.parent / row["path"]).read_bytes()
        answer = signature(image_bytes=tf.constant([content]))
        probabilities.append(answer["probabilities"].numpy()[0])
        chosen.append(answer["chosen"].numpy()[0])
    truth = np.array([[name in row["labels"].split("|") for name in names] for row in rows])
    precision = sklearn.metrics.average_precision_score(truth, np.array(probabilities))
    f1 = sklearn.metrics.f1_score(truth, np.array(chosen), average="macro")
    exact = float((truth == np.array(chosen)).all(axis=1).mean())
    print(f"{len(rows)} frames: mAP {precision:.4f}, macro F1 {f1:.4f}, exact match {exact:.4f}")


def main() -> None:
    """Makes data, or judges an export."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    frames = commands.add_parser("frames")
    frames.add_argument("folder", type=pathlib.Path)
    frames.add_argument("folders", type=pathlib.Path, nargs="+")
    cifar10 = commands.add_parser("cifar10")
    cifar10.add_argument("folder", type=pathlib.Path)
    cifar10.add_argument("--data-dir")
    served = commands.add_parser("served")
    served.add_argument("manifest", type=pathlib.Path)
    served.add_argument("export", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.command == "frames":
        write_frames(arguments.folder, arguments.folders)
    elif arguments.command == "cifar10":
        write_cifar10(arguments.folder, arguments.data_dir)
    else:
        judge_export(arguments.manifest, arguments.export)


if __name__ == "__main__":
    main()
