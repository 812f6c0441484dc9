"""A Space and a container, written from an export."""

import pytest

from tfxfer.exporting.hosting.writing import write_hosted


def not_needed(*_, **__):
    raise AssertionError("an export is copied")


@pytest.fixture(scope="session")
def written(finished, tmp_path_factory):
    """The folders of a Space and of a container, and what was said."""
    folder, said = tmp_path_factory.mktemp("hosted"), []
    to = {"space": folder / "space", "docker": folder / "docker"}
    write_hosted(finished[0].export.parent, not_needed, said.append, **to)
    return to["space"], to["docker"], said
