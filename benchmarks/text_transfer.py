"""What pretraining gives to few labeled texts: IMDB reviews, with 500 labels and three draws.

    python benchmarks/text_transfer.py IMDB [--backbones average textcnn] [--json FILE]
    python benchmarks/text_transfer.py IMDB --backbones lstm --objective next-word

A backbone is pretrained on 20,000 reviews of `train`, with their labels or on their words alone. Of
the other 5,000, 500 are drawn to fit a classifier: from random weights, from the pretrained
backbone with its head alone, and from the pretrained backbone fine-tuned. The test is that of IMDB,
in part, with no review of `train` in it. Labels of the source and of the target mean the same here,
which is the best case.
"""

import argparse
import json
import pathlib
import random
import tempfile

import measuring
import numpy as np

import tfxfer

LABELS, SOURCE, TEST = 500, 20_000, 5_000


def write(path, rows):
    """Writes reviews, (file, label, split), as a manifest, and returns its path."""
    lines = [
        json.dumps({"text": file.read_text("utf-8"), "label": label, "split": split}) + "\n"
        for file, label, split in rows
    ]
    path.write_text("".join(lines), "utf-8")
    return str(path)


def reviews(folder, split):
    """Returns the files of a split with their labels, in an order by chance."""
    found = [
        (file, label)
        for label in ("neg", "pos")
        for file in sorted((folder / split / label).glob("*.txt"))
    ]
    random.Random(0).shuffle(found)
    return found


def drawn(folder, draw, train, test):
    """Writes the texts of a draw, to fit and to test, as a manifest, and returns its path."""
    some = random.Random(draw).sample(train[SOURCE:], LABELS)
    rows = [(*one, "train") for one in some] + [(*one, "test") for one in test]
    return write(folder / f"target-{draw}.jsonl", rows)


def fit(folder, name, data, backbone, **settings):
    """Returns the test accuracy of a fit, and that of TF-IDF with logistic regression."""
    result = tfxfer.fit(
        data=data,
        backbone=backbone,
        run=name,
        runs_dir=str(folder / "runs"),
        export_dir=str(folder / "exports"),
        say=lambda _: None,
        **settings,
    )
    baseline = result.metrics["baseline"]["accuracy"]["test"]
    return result.metrics["test"]["accuracy"], baseline


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("imdb", type=pathlib.Path)
    parser.add_argument("--backbones", nargs="+", default=["average", "textcnn"])
    parser.add_argument("--objective", default="labels", choices=("labels", "next-word"))
    parser.add_argument("--epochs", type=int, help="Of the pretraining.")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="text-transfer-"))
    train, test = reviews(arguments.imdb, "train"), reviews(arguments.imdb, "test")[:TEST]
    source = write(folder / "source.jsonl", [(*one, "train") for one in train[:SOURCE]])
    results = {}
    for backbone in arguments.backbones:
        pretrained = tfxfer.pretrain(
            data=source,
            backbone=backbone,
            objective=arguments.objective,
            epochs=arguments.epochs,
            run=f"{backbone}-source",
            runs_dir=str(folder / "runs"),
            say=print,
        )
        rows = []
        for draw in range(arguments.repeats):
            data = drawn(folder, draw, train, test)
            start, weights = f"{backbone}-{draw}", {"weights": str(pretrained.run)}
            scratch, baseline = fit(folder, f"{start}-scratch", data, backbone, seed=draw)
            head, _ = fit(
                *(folder, f"{start}-head", data, backbone),
                **weights,
                seed=draw,
                finetune={"unfreeze": "none"},
            )
            tuned, _ = fit(folder, f"{start}-tuned", data, backbone, **weights, seed=draw)
            rows.append({"tfidf": baseline, "scratch": scratch, "head": head, "tuned": tuned})
            print(backbone, draw, rows[-1], flush=True)
        results[backbone] = rows
        for way in rows[0]:
            found = [row[way] for row in rows]
            print(
                f"{backbone}  {way:8}  {np.mean(found):.3f}  ({min(found):.3f} to {max(found):.3f})"
            )
    measuring.write_json(arguments.json, **measuring.facts(), results=results)


if __name__ == "__main__":
    main()
