"""Pretrained text backbones: where they are, and how they are read."""

import pathlib
from dataclasses import dataclass
from typing import Any

from tfxfer.errors import UsageError, WeightsError
from tfxfer.system.run_layout import RunDirectory
from tfxfer.text.models.encoders.record import NUM_ENDS


def find_weights(weights: str) -> pathlib.Path:
    """Returns the file of a pretrained text backbone.

    Args:
        weights: A run of `pretrain` or `fit` on texts, or the `.keras` file of one.

    Raises:
        UsageError: There is none.
    """
    path = pathlib.Path(weights)
    if path.is_dir():
        run = RunDirectory(path)
        for file in (run.backbone, run.model):
            if file.is_file():
                return file
        raise UsageError(
            f"'{weights}' (--weights) is not a finished run: it has neither a "
            f"'{run.backbone.name}' nor a '{run.model.name}'."
        )
    if path.is_file() and path.suffix == ".keras":
        return path
    raise UsageError(
        f"There are no weights '{weights}' for a text backbone. Give the run of `tfxfer pretrain` "
        "or `tfxfer fit` on texts, its '.keras' file, or 'none'."
    )


def num_read(vectorizer: Any) -> int:
    """Returns how many words or tokens of a text a vectorizer keeps, without start and end."""
    length = int(vectorizer.output_shape[1])
    return length - (NUM_ENDS if is_word_piece(vectorizer) else 1)


def is_word_piece(vectorizer: Any) -> bool:
    """Tells whether a vectorizer is that of an encoder, which runs by TensorFlow Text."""
    return hasattr(vectorizer.get_layer("tokens"), "suffix_indicator")


@dataclass(frozen=True)
class Pretrained:
    """A pretrained backbone with its vocabulary.

    Attributes:
        vectorizer: Texts to ids, (batch, 1 + max_words).
        network: Ids to features.
    """

    vectorizer: Any
    network: Any

    @property
    def is_encoder(self) -> bool:
        """Whether it is a BERT-like encoder."""
        return is_word_piece(self.vectorizer)

    @property
    def max_words(self) -> int:
        """Words of a text that it reads, or tokens of an encoder."""
        return num_read(self.vectorizer)

    @property
    def dimensions(self) -> int:
        """Dimensions of its word embeddings."""
        return int(self.network.get_layer("embedding").output_dim)

    @property
    def num_words(self) -> int:
        """Number of words in its vocabulary, or of tokens."""
        num_ids = int(self.network.get_layer("embedding").input_dim)
        return num_ids if self.is_encoder else num_ids - 3

    @property
    def dropout(self) -> float:
        """Its dropout rate on the embeddings."""
        return float(self.network.get_layer("embedding_dropout").rate)

    @property
    def stages(self) -> set[str]:
        """The first words of the names of its layers."""
        return {layer.name.partition("_")[0] for layer in self.network.layers}


def read_pretrained(path: pathlib.Path) -> Pretrained:
    """Returns the backbone in a file of `pretrain` or `fit`.

    Raises:
        UsageError: It is of an encoder, and KerasHub is not installed.
        WeightsError: The file is corrupt, or has no text backbone.
    """
    from tfxfer.text.models.saved import load_text_model

    try:
        model = load_text_model(path)
        return Pretrained(model.get_layer("vectorize"), model.get_layer("backbone"))
    except UsageError:
        raise
    # Layers raise what they like when they are built of a corrupt configuration.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"'{path}' has no text backbone of tfxfer: {reason}") from error
