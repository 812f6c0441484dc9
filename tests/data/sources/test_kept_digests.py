"""What is kept of files, and when it is trusted."""

import os
import time

import numpy as np
import pytest

from tfxfer.data.cache import Cache
from tfxfer.data.sources.kept_digests import KIND, NO_STATE, KeptDigests, state_of, with_states
from tfxfer.system.digests import ids_of


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache", 10**8)


def listing(numbers):
    """Returns the paths of files that need not exist, and digests for them."""
    paths = [f"/data/{number:04}.png" for number in numbers]
    return paths, ids_of((path.encode(),) for path in paths)


def keep(kept, paths, digests, state=b"a state."):
    ids = with_states(kept.ids_of(paths), [state] * len(paths))
    kept.keep(ids, digests, len(paths), 0)
    return ids


def test_what_is_kept_is_found_by_path_and_state(cache):
    paths, digests = listing(range(300))
    ids = keep(KeptDigests.of(paths, cache), paths, digests)
    kept = KeptDigests.of(paths, cache)
    found, is_kept = kept.look_up(ids)
    assert is_kept.all()
    np.testing.assert_array_equal(found, digests)
    assert not kept.look_up(with_states(ids, [b"another."] * 300))[1].any()
    others = kept.ids_of([f"/data/other/{number}" for number in range(300)])
    assert not kept.look_up(with_states(others, [b"a state."] * 300))[1].any()


def test_two_that_read_at_the_same_time_lose_nothing_of_each_other(cache):
    paths, digests = listing(range(1000))
    first, second = (KeptDigests.of(paths, cache) for _ in range(2))
    ids = keep(first, paths[:600], digests[:600])
    more = keep(second, paths[400:], digests[400:], b"a newer.")
    kept = KeptDigests.of(paths, cache)
    assert kept.look_up(ids)[1].tolist() == [True] * 400 + [False] * 200
    found, is_kept = kept.look_up(more)
    assert is_kept.all()
    np.testing.assert_array_equal(found, digests[400:])
    (entry,) = cache.entries()
    assert (entry.kind, entry.num_rows, entry.about["what"]) == (KIND, 1000, "files in '/data'")


def test_a_few_new_files_are_not_worth_to_write_all_again(cache):
    paths, digests = listing(range(255))
    kept = KeptDigests.of(paths, cache)
    keep(kept, paths, digests)
    assert not cache.entries()
    kept.keep(with_states(kept.ids_of(paths), [b"a state."] * 255), digests, 255, 10**8)
    assert len(cache.entries()) == 1  # but large ones are


def test_nothing_is_kept_of_files_without_a_state(cache):
    paths, digests = listing(range(600))
    kept = KeptDigests.of(paths, cache)
    states = [NO_STATE, b"a state."] * 300
    kept.keep(with_states(kept.ids_of(paths), states), digests, 300, 0)
    assert cache.entries()[0].num_rows == 300


def test_the_folder_is_the_innermost_one_of_all_files(cache):
    for paths, folder in [
        (["/a/b/1.png", "/a/bc/2.png"], "/a"),
        (["/a/b/1.png"], "/a/b"),
        (["b/1.png", "b/c/1.png"], os.path.abspath("b")),
        (["1.png", "/2.png"], os.getcwd()),
    ]:
        digests = listing(range(len(paths)))[1]
        kept = KeptDigests.of(paths, cache)
        kept.keep(with_states(kept.ids_of(paths), [b"a state."] * len(paths)), digests, 1, 10**9)
        assert cache.entries()[-1].about["what"] == f"files in '{folder}'"


def test_a_file_that_has_just_changed_has_no_state(tmp_path):
    path = tmp_path / "1.png"
    path.write_bytes(b"one")
    os.utime(path, (0, 0))  # the time of change cannot be set
    told, second = os.stat(path), 10**9
    assert state_of(told, time.time_ns()) == NO_STATE
    assert state_of(told, told.st_ctime_ns + 2 * second) == NO_STATE
    assert state_of(told, told.st_ctime_ns + 2 * second + 1) == state_of(told) != NO_STATE


def test_every_change_is_another_state(tmp_path):
    path = tmp_path / "1.png"
    path.write_bytes(b"one")
    states = [state_of(os.stat(path))]
    told = os.stat(path)

    def add():
        os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))
        states.append(state_of(os.stat(path)))

    time.sleep(0.02)  # longer than a tick of the clock of a file system here
    path.write_bytes(b"two")  # of the same size and, in the end, time of modification
    add()
    (tmp_path / "new").write_bytes(b"one")
    os.replace(tmp_path / "new", path)
    add()
    path.write_bytes(b"three")
    add()
    assert len(set(states)) == 4
