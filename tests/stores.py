"""Stores of files for tests: in memory, and one that loses its connection."""

import fsspec
from fsspec.implementations.memory import MemoryFileSystem


def stored(folder, name):
    """Puts the files of a folder into the store in memory, and returns their URL."""
    memory = fsspec.filesystem("memory")
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        memory.pipe(f"/{name}/{path.relative_to(folder)}", path.read_bytes())
    return f"memory://{name}"


class Lossy(MemoryFileSystem):
    """The same files, of which only some can be fetched before the connection is lost."""

    protocol = "lossy"
    left = 0
    fetched: list[str] = []  # noqa: RUF012  # of all instances

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("lossy:/"))

    def get_file(self, rpath, lpath, **kwargs):
        if not type(self).left:
            raise ConnectionResetError("Connection reset by peer")
        type(self).left -= 1
        self.fetched.append(rpath)
        super().get_file(rpath, lpath, **kwargs)


fsspec.register_implementation("lossy", Lossy, clobber=True)
