"""The names of splits, and what words data have for them."""

import re
from collections.abc import Collection

# The splits in their order, with the words by which data call them.
_WORDS = {
    "train": ("train", "training", "trn"),
    "validation": (
        *("validation", "val", "valid", "dev", "development", "eval", "evaluation", "vali"),
    ),
    "test": ("test", "testing", "tst", "holdout", "hold_out", "heldout", "held_out"),
}

SPLITS = tuple(_WORDS)

# All such words, for suggestions.
SPLIT_WORDS = tuple(word for words in _WORDS.values() for word in words)

# What stands beside such a word in the name of a folder: train_set, test-images, x_val, seg_train.
_FILLERS = (
    "set|sets|split|subset|data|dataset|files|folder|images?|imgs?|photos?|pictures?|pics|samples?|"
    "seg|x"
)

_SPLIT_NAMES = {
    split: re.compile(
        rf"(?:{_FILLERS})*(?:{'|'.join(word.replace('_', '') for word in words)})(?:{_FILLERS})*"
    )
    for split, words in _WORDS.items()
}


def split_of(name: str) -> str | None:
    """Returns the split that a name means, such as "Training", "test set", "hold-out" or "val2017".

    Case, digits and what separates words do not count. None is a name that means no split.

    Examples:
        >>> split_of("val2017"), split_of("Training set"), split_of("bees")
        ('validation', 'train', None)
    """
    letters = re.sub(r"[\W\d_]+", "", name.lower())
    return next((split for split, form in _SPLIT_NAMES.items() if form.fullmatch(letters)), None)


def splits_among(names: Collection[str]) -> dict[str, str]:
    """Returns which of the names of splits that data come with is train, validation and test.

    A name that is such a word comes before one that means the split as `split_of` knows it, of
    which there must be one alone.

    Examples:
        >>> splits_among(["train", "dev", "unlabeled"])
        {'train': 'train', 'validation': 'dev'}
    """
    found: dict[str, str] = {}
    for split, words in _WORDS.items():
        meant = [word for word in words if word in names]
        meant = meant[:1] or [name for name in names if split_of(name) == split]
        if len(meant) == 1:
            found[split] = meant[0]
    return found
