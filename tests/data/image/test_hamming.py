"""Groups of hashes, held against comparing all with all."""

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from tfxfer.data.image import hamming
from tfxfer.data.image.hamming import near_groups

RADIUS = 5


def by_all_pairs(hashes):
    """Returns the groups of hashes, each compared with each."""
    near = np.bitwise_count(hashes[:, None] ^ hashes[None]).sum(axis=2) <= RADIUS
    return connected_components(near, directed=False)[1]


def as_sets(numbers):
    return {frozenset(np.flatnonzero(numbers == one).tolist()) for one in np.unique(numbers)}


def packed(bits):
    return np.packbits(bits, axis=1).view(np.uint64)


def turned(generator, bits, most):
    """Returns rows of bits of which up to so many are turned."""
    result = bits.copy()
    for row in result:
        row[generator.permutation(128)[: generator.integers(most + 1)]] ^= 1
    return result


def random_bits(generator, count):
    return generator.integers(0, 2, (count, 128), dtype=np.uint8)


def anything(generator):
    return packed(random_bits(generator, 300))


def copies(generator):
    return packed(np.repeat(random_bits(generator, 20), 15, axis=0))


def clusters(generator):
    return packed(turned(generator, np.repeat(random_bits(generator, 15), 20, axis=0), 4))


def ball(generator):
    return packed(turned(generator, np.repeat(random_bits(generator, 1), 300, axis=0), 5))


def wide_ball(generator):
    return packed(turned(generator, np.repeat(random_bits(generator, 1), 300, axis=0), 8))


def chains(generator):
    """Each is five bits from the one before, and the ends are far apart; each sixth link is cut."""
    steps = turned(generator, np.zeros((300, 128), np.uint8), 0)
    for number, row in enumerate(steps):
        row[generator.permutation(128)[: 6 if number % 60 == 0 else 5]] = 1
    bits = np.bitwise_xor.accumulate(steps, axis=0)
    return packed(bits)[generator.permutation(300)]


def few_bits(generator):
    """All bits but 14 are the same, as of pictures in one frame."""
    bits = np.zeros((300, 128), np.uint8)
    bits[:, generator.permutation(128)[:14]] = generator.integers(0, 2, (300, 14))
    return packed(bits)


def alone_and_together(generator):
    """Half of them near no other, and half all near each other."""
    one = random_bits(generator, 1)
    together = turned(generator, np.repeat(one, 150, axis=0), 2)
    return packed(np.concatenate([random_bits(generator, 150), together]))


def same_half(generator):
    bits = random_bits(generator, 300)
    bits[:, :100] = 0
    return packed(bits)


KINDS = [
    anything,
    copies,
    clusters,
    ball,
    wide_ball,
    chains,
    few_bits,
    same_half,
    alone_and_together,
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("small", [2048, 8], ids=["compared at once", "divided"])
def test_the_groups_are_those_that_comparing_all_finds(monkeypatch, kind, seed, small):
    # Few hashes take the ways of many.
    monkeypatch.setattr(hamming, "_SMALL", small)
    monkeypatch.setattr(hamming, "_SHORT_RUN", min(small, 64))
    monkeypatch.setattr(hamming, "_BLOCK", 50 * small)
    monkeypatch.setattr(hamming, "_KEPT_PAIRS", 10 * small)
    hashes = kind(np.random.default_rng(seed))
    assert as_sets(near_groups(hashes, RADIUS)) == as_sets(by_all_pairs(hashes))


def test_chains_are_one_group_however_far_apart_their_ends_are():
    # 101 hashes in a row, one bit more each time, and one that is six from the last.
    bits = np.tril(np.ones((107, 128), np.uint8), -1)
    hashes = packed(bits[[*range(101), 106]])
    numbers = near_groups(hashes, RADIUS)
    assert as_sets(numbers) == {frozenset(range(101)), frozenset([101])}
    assert len(np.unique(near_groups(hashes, RADIUS + 1))) == 1


def test_groups_are_numbered_from_0_and_none_is_left_out():
    numbers = near_groups(np.array([[0], [7], [2**40 - 1], [0]], np.uint64), 2)
    assert sorted(set(numbers.tolist())) == [0, 1, 2]
    assert numbers[0] == numbers[3]
    assert near_groups(np.zeros((0, 2), np.uint64), RADIUS).tolist() == []
    assert near_groups(np.array([[3]], np.uint64), 0).tolist() == [0]


def test_what_is_near_is_compared_about_once(monkeypatch):
    # 20,000 hashes at one place: all pairs would be 200 million.
    compared = []
    distances = hamming._distances

    def counted(ones, others):
        found = distances(ones, others)
        compared.append(found.size)
        return found

    monkeypatch.setattr(hamming, "_distances", counted)
    generator = np.random.default_rng(0)
    hashes = np.full((20_000, 2), 12345, np.uint64)
    hashes[:, 1] ^= np.uint64(1) << generator.integers(64, size=20_000).astype(np.uint64)
    hashes[:, 0] ^= np.uint64(1) << generator.integers(64, size=20_000).astype(np.uint64)
    assert len(np.unique(hashes, axis=0)) > 4000
    assert len(np.unique(near_groups(hashes, RADIUS))) == 1
    assert sum(compared) < 1_000_000
