"""Near copies among texts: most of their phrases of three words are the same.

Candidates are found by MinHash with locality-sensitive hashing (Broder 1997, "On the resemblance
and containment of documents"; the library datasketch), and each is then compared in full.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import scipy.sparse
import scipy.sparse.csgraph

from tfxfer.data.contents import NearCopyGroups
from tfxfer.system.progress import Progress
from tfxfer.text.data.source import TextSource, said

# Two texts are near copies if they share this part of all phrases that either of them has (Jaccard
# index). On IMDB reviews of one film that are not copies share under 0.1.
SHARED_PHRASES = 0.8

# Words of a phrase.
_PHRASE = 3

# Candidates are found with this many hashes at a lower threshold, so that hardly a copy is missed:
# of those that share 0.8, one in two thousand.
_NUM_HASHES, _CANDIDATE = 128, 0.6

_BLOCK = 500


def near_copies(texts: Sequence[str]) -> list[npt.NDArray[np.int64]]:
    """Returns the groups of texts that are near copies, as ascending indices.

    What is a near copy of a near copy is in the same group. Texts that say the same are in it, too.

    Args:
        texts: The texts.
    """
    pairs = [pair for pair in _candidates(texts) if _shared(texts[pair[0]], texts[pair[1]])]
    if not pairs:
        return []
    first, second = np.array(pairs, np.int64).T
    graph = scipy.sparse.coo_matrix((np.ones(len(pairs)), (first, second)), (len(texts),) * 2)
    _, numbers = scipy.sparse.csgraph.connected_components(graph, directed=False)
    order = np.argsort(numbers, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    return [group for group in groups if len(group) > 1]


def near_copy_groups(source: TextSource) -> NearCopyGroups:
    """Returns the near copies in data, whatever split they are in."""
    texts = [text for split in source.splits.values() for text in split.texts]
    digests = np.concatenate([split.digests() for split in source.splits.values()])
    return NearCopyGroups.of(digests[group] for group in near_copies(texts))


def _candidates(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yields pairs of texts that may be near copies, the lower index first."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=_CANDIDATE, num_perm=_NUM_HASHES)
    with Progress("near copies", len(texts), _BLOCK) as progress:
        for block, start in enumerate(range(0, len(texts), _BLOCK)):
            phrases = [_phrases(text) for text in texts[start : start + _BLOCK]]
            encoded = [[one.encode("utf-8", "surrogatepass") for one in some] for some in phrases]
            hashes = MinHash.generator(encoded, num_perm=_NUM_HASHES)
            for number, one in enumerate(hashes, start):
                for earlier in sorted(index.query(one)):
                    yield earlier, number
                index.insert(number, one)
            progress.update(block + 1)


def _phrases(text: str) -> set[str]:
    """Returns the phrases of a text; the text itself if it is shorter than one."""
    words = said(text).split()
    count = max(1, len(words) - _PHRASE + 1)
    return {" ".join(words[start : start + _PHRASE]) for start in range(count)}


def _shared(first: str, second: str) -> bool:
    """Tells whether two texts share enough phrases."""
    one, other = _phrases(first), _phrases(second)
    return len(one & other) >= SHARED_PHRASES * len(one | other)
