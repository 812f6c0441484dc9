"""The C library keeps what TensorFlow frees."""

import os
import platform
import subprocess
import sys

import pytest

# Takes and frees 64 MB twice, in another thread too, and prints the pages that were asked of the
# system the second time.
SECOND_TIME = """
import resource, sys, threading
import numpy as np
from tfxfer.cli.allocator import keep_freed_memory

kept = keep_freed_memory()

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(64 * 2**20, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first = pages()
found = [pages()]
thread = threading.Thread(target=lambda: found.append(pages()))
thread.start()
thread.join()
print(kept, first, *found)
"""


def second_time(**environment):
    users = ("GLIBC_TUNABLES", "LD_PRELOAD", "MALLOC_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(users)}
    done = subprocess.run(
        [sys.executable, "-c", SECOND_TIME],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    kept, *pages = done.stdout.split()
    return kept == "True", [int(number) for number in pages]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_memory_that_was_freed_is_not_asked_of_the_system_again():
    kept, (first, again, in_thread) = second_time()
    assert kept
    assert first > 100
    assert again < first / 10
    assert in_thread < first / 10


@pytest.mark.parametrize("name", ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES"])
def test_what_the_user_has_set_stays(name):
    value = {"MALLOC_ARENA_MAX": "4", "GLIBC_TUNABLES": "glibc.malloc.arena_max=4"}[name]
    kept, _ = second_time(**{name: value})
    assert not kept
