"""What a pretrained encoder gives to few labeled texts: IMDB reviews, 500 labels, three draws.

    python benchmarks/text_encoders.py IMDB [--max-words 126] [--only head] [--json FILE]

The texts to fit are those of `text_transfer.py`, drawn alike, and the test is the first 2,000 of
its reviews. Each draw is fitted with the head alone, on frozen features, and fine-tuned.
"""

import argparse
import pathlib
import tempfile

import measuring
import numpy as np
from text_transfer import drawn, fit, reviews

TEST = 2_000

WAYS = {"head": {"finetune": {"unfreeze": "none"}}, "tuned": {}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("imdb", type=pathlib.Path)
    parser.add_argument("--backbone", default="minilm")
    parser.add_argument("--max-words", type=int)
    parser.add_argument("--only", choices=WAYS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="text-encoders-"))
    train, test = reviews(arguments.imdb, "train"), reviews(arguments.imdb, "test")[:TEST]
    text = {} if arguments.max_words is None else {"text": {"max_words": arguments.max_words}}
    results = {}
    for way in [arguments.only] if arguments.only else WAYS:
        rows = []
        for draw in range(arguments.repeats):
            data = drawn(folder, draw, train, test)
            accuracy, baseline = fit(
                *(folder, f"{way}-{draw}", data, arguments.backbone),
                seed=draw,
                **text,
                **WAYS[way],
            )
            rows.append({"tfidf": baseline, way: accuracy})
            print(way, draw, rows[-1], flush=True)
        found = [row[way] for row in rows]
        print(f"{way:8}  {np.mean(found):.3f}  ({min(found):.3f} to {max(found):.3f})", flush=True)
        results[way] = rows
    measuring.write_json(
        arguments.json, **measuring.facts(), max_words=arguments.max_words, results=results
    )


if __name__ == "__main__":
    main()
