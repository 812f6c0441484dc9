"""Copies are listed, and removed unless a process uses them."""

import subprocess
import sys

import pytest
from click.testing import CliRunner
from stores import stored

from tfxfer.cli.cache import cache
from tfxfer.data.cache import Cache
from tfxfer.data.remote.copies import Copies
from tfxfer.data.remote.kept import KeptCopies
from tfxfer.data.remote.listing import list_at

COPYING = """
import pathlib, sys
from tfxfer.data.cache import Cache
from tfxfer.data.remote.copies import Copies
from tfxfer.data.remote.listing import list_at
folder, note = Copies(Cache(pathlib.Path(sys.argv[2]), 10**6)).made(list_at(sys.argv[1]))
print(note, len(list(folder.rglob("*.bin"))), flush=True)
sys.stdin.read()
"""


def test_copies_are_listed_with_what_else_is_kept_and_stay_while_they_are_used(tmp_path):
    (tmp_path / "a.bin").write_bytes(bytes(1000))
    listing = list_at(stored(tmp_path, "shown"))
    files, _ = Copies(Cache(tmp_path / "cache", 10**6)).made(listing)
    shown = CliRunner().invoke(cache, ["--cache-dir", str(tmp_path / "cache")]).output
    assert "objects     1.0 kB          1 files   used 0 s ago  memory://shown" in shown
    CliRunner().invoke(cache, ["--clear", "--cache-dir", str(tmp_path / "cache")])
    assert (files / "shown" / "a.bin").is_file()  # this process uses it


@pytest.mark.slow
def test_two_processes_fetch_files_once(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.bin").write_bytes(bytes([number]) * 1000)
    command = [sys.executable, "-c", COPYING, folder.as_uri(), str(tmp_path / "cache")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as one, subprocess.Popen(command, **pipes) as other:
        said = sorted(process.stdout.readline().decode() for process in (one, other))
        copies = KeptCopies(Cache(tmp_path / "cache", 10**6))
        assert copies.clear() == 0  # both use them
        for process in (one, other):
            process.stdin.close()
    assert "fetched before 6" in said[1] or "fetched before 6" in said[0]
    assert sum("6 of them fetched now 6" in line for line in said) == 1
    assert copies.clear() == 6000
    assert not copies.directory.exists()
