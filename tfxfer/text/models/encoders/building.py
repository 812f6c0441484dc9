"""Building an encoder from its files: texts to ids, and ids to features."""

import functools
import pathlib
from dataclasses import dataclass

import keras

from tfxfer.errors import WeightsError
from tfxfer.text.models.encoders.directories import weights_name
from tfxfer.text.models.encoders.network import build_encoder
from tfxfer.text.models.encoders.packaged import encoder_folder
from tfxfer.text.models.encoders.record import Encoder
from tfxfer.text.models.encoders.tokenizer import Tokenizer
from tfxfer.text.models.encoders.vocabulary import read_tokens
from tfxfer.text.models.encoders.weights import load_encoder


@dataclass(frozen=True)
class EncoderFiles:
    """The files of an encoder, from which networks are built.

    Attributes:
        name: Of the backbone, for messages.
        encoder: Its record.
        folder: Where they are.
    """

    name: str
    encoder: Encoder
    folder: pathlib.Path

    @classmethod
    def of(cls, name: str, encoder: Encoder) -> "EncoderFiles":
        """Returns the files of an encoder.

        Raises:
            UsageError: They are in a package that is not installed.
        """
        return cls(name, encoder, encoder_folder(encoder))

    @functools.cached_property
    def tokenizer(self) -> Tokenizer:
        """Its tokenizer.

        Raises:
            UsageError: Its files are corrupt, or KerasHub is not installed.
        """
        encoder = self.encoder
        tokens = read_tokens(self.folder, encoder.vocabulary_size, is_preset=encoder.is_preset)
        return Tokenizer(
            self.name, tokens, lowercase=encoder.lowercase, strip_accents=encoder.strip_accents
        )

    def network(self, dropout: float, seed: int) -> keras.Model:
        """Returns its network with its weights; the arguments are those of `build_encoder`.

        Raises:
            WeightsError: The file is corrupt, or holds another network.
        """
        path = self.folder / weights_name(self.encoder)
        if not path.is_file():
            raise WeightsError(f"There are no weights '{path}' any more. Copy them again.")
        network = build_encoder(self.encoder, dropout, seed)
        load_encoder(network, self.encoder, path)
        return network
