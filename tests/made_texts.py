"""Small data of texts: invented reviews whose words tell their class, and noise."""

import json
import random

GOOD = ["great", "lovely", "superb", "moving", "funny", "wonderful", "charming", "brilliant"]
BAD = ["boring", "awful", "dull", "terrible", "stupid", "tedious", "clumsy", "dreadful"]
PLAIN = [
    "the",
    "film",
    "was",
    "a",
    "story",
    "of",
    "people",
    "in",
    "town",
    "and",
    "it",
    "had",
    "some",
    "scenes",
    "with",
    "music",
]


def review(seed, good):
    """Returns a review of 6 to 20 words, with HTML line breaks."""
    generator = random.Random(f"{seed} {good}")
    words = [generator.choice(PLAIN) for _ in range(generator.randint(4, 16))]
    words += [generator.choice(GOOD if good else BAD) for _ in range(generator.randint(2, 4))]
    generator.shuffle(words)
    middle = len(words) // 2
    return f"{' '.join(words[:middle])}.<br /><br />{' '.join(words[middle:])}!"


def write_reviews(folder, train=40, test=20):
    """Writes reviews in the layout of IMDB, with texts that have no label."""
    for split, count, first in (("train", train, 0), ("test", test, 1000)):
        for name in ("neg", "pos"):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                text = review(first + number, name == "pos")
                (folder / split / name / f"{number}.txt").write_text(text, "utf-8")
    (folder / "train" / "unsup").mkdir()
    (folder / "train" / "unsup" / "0.txt").write_text("no label")
    (folder / "README").write_text("about")
    return folder


def write_manifest(path, count=40):
    """Writes reviews as JSON Lines with `text` and `label`."""
    rows = [
        {"text": review(number, number % 2 == 1), "label": ("neg", "pos")[number % 2]}
        for number in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


# Settings of a fit that takes a second or two.
SMALL = {
    "text": {"max_words": 24, "dimensions": 8, "dropout": 0.1},
    "finetune": {"epochs": 8, "learning_rate": 0.02},
    "batch_size": 16,
}


def small(**changes):
    """Returns settings of a quick fit, with units for backbones that have some."""
    text = {**SMALL["text"], **({} if changes.get("backbone") == "average" else {"units": 6})}
    return {**SMALL, "text": text, **changes}
