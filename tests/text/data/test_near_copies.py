"""Planted near copies are found, and other texts are not called copies."""

import numpy as np

from tfxfer.text.data.near_copies import near_copies, near_copy_groups
from tfxfer.text.data.opening import open_as_they_are


def text_of(seed, count=80):
    """Returns words at random from few, so that different texts have some phrases in common."""
    return np.random.default_rng(seed).choice(list("abcdefghijklmnop"), count).tolist()


def edited(words, count, seed=0):
    """Returns words of which so many, far from each other, were replaced."""
    changed = list(words)
    for place in np.linspace(0, len(words) - 1, count, dtype=int) if count else ():
        changed[place] = f"new{seed}"
    return changed


def test_copies_with_few_changes_are_found_and_others_are_not():
    originals = [text_of(seed) for seed in range(60)]
    copies = [edited(words, 2) for words in originals[:30]]
    others = [edited(words, 20) for words in originals[30:]]  # a quarter of the words differ
    texts = [" ".join(words) for words in (*originals, *copies, *others)]
    found = [group.tolist() for group in near_copies(texts)]
    assert found == [[number, 60 + number] for number in range(30)]


def test_copies_of_copies_are_one_group_and_short_texts_compare_as_a_whole():
    words = text_of(1, 60)
    chain = [words, edited(words, 2, 1), edited(edited(words, 2, 1), 3, 2)]
    texts = [" ".join(one) for one in chain]
    texts += ["Nice film!", "nice FILM", "nice book", ""]
    assert [group.tolist() for group in near_copies(texts)] == [[0, 1, 2], [3, 4]]
    assert near_copies([]) == []
    assert near_copies(["one"]) == []


def test_groups_are_of_contents_in_all_splits(tmp_path):
    words = text_of(1)
    places = {"train/a/1": words, "train/b/1": text_of(2), "test/a/1": edited(words, 2)}
    for place, one in places.items():
        path = tmp_path / f"{place}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(" ".join(one))
    source = open_as_they_are(str(tmp_path), "utf-8")
    groups = near_copy_groups(source)
    assert groups.numbers_of(source.splits["train"].digests()).tolist() == [0, -1]
    assert groups.numbers_of(source.splits["test"].digests()).tolist() == [0]
