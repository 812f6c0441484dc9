"""What a fit on texts starts from: random weights, a run, or an encoder with weights of its own."""

import pathlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfxfer.config.decided import DecidedText, DecidedTextFit
from tfxfer.config.schema import FitConfig, RunConfig, TextConfig
from tfxfer.errors import UsageError
from tfxfer.text.models.backbones import OWN_WEIGHTS, TextBackbone
from tfxfer.text.models.encoders.building import EncoderFiles
from tfxfer.text.models.encoders.tokenizer import Tokenizer
from tfxfer.text.models.vectors import vector_dimensions
from tfxfer.text.models.vocabulary import TOKENS, tokens_of
from tfxfer.text.models.weights import Pretrained, find_weights, read_pretrained


@dataclass(frozen=True)
class Start:
    """What a fit starts from.

    Attributes:
        run: The backbone of a run; None without one.
        files: The files of an encoder; None of other backbones, and if there is a run.
    """

    run: Pretrained | None = None
    files: EncoderFiles | None = None

    def known(self, backbone: TextBackbone) -> DecidedText | None:
        """Returns the settings of a run's backbone; None without one."""
        return None if self.run is None else _text_of(self.run, backbone)

    def lengths(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Returns the number of words of each text, or of tokens of an encoder."""
        if self.files is not None:
            return self.files.tokenizer.counts(texts)
        if self.run is not None and self.run.is_encoder:
            return Tokenizer.of_layer(self.run.vectorizer.get_layer(TOKENS)).counts(texts)
        return word_counts(texts)

    def pretrained(self, config: DecidedTextFit) -> Pretrained | None:
        """Returns the pretrained backbone; None if it has random weights.

        Args:
            config: Settings, all decided; `text` and `seed` are read.

        Raises:
            WeightsError: The file of an encoder's weights is corrupt, or of another network.
        """
        if self.files is None:
            return self.run
        text = config.text
        network = self.files.network(text.dropout, config.seed)
        return Pretrained(self.files.tokenizer.vectorizer(text.max_words), network)


def find_start(config: FitConfig, backbone: TextBackbone) -> Start:
    """Returns what a fit starts from, its settings checked.

    Raises:
        UsageError: There is no such thing, or settings are not its own.
        WeightsError: The file of a run is corrupt.
    """
    if config.weights not in (None, "none", OWN_WEIGHTS):
        run = read_pretrained(find_weights(str(config.weights)))
        _check_stages(run, backbone)
        _check_same(config.text, _text_of(run, backbone), "that --weights names")
        return Start(run=run)
    if backbone.encoder is None:
        return Start()
    files = EncoderFiles.of(backbone.name, backbone.encoder)
    _check_encoder(config.text, backbone)
    return Start(files=files)


def word_counts(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Returns the number of words of each text, as the model counts them."""
    return np.array([len(tokens_of(text)) for text in texts], np.int64)


def asked_dimensions(config: RunConfig) -> int | None:
    """Returns the dimensions of the word vectors; None without any.

    Raises:
        UsageError: Other dimensions are asked for.
        DataError: The file has no word vectors.
    """
    if config.text.vectors is None:
        return None
    found, asked = vector_dimensions(pathlib.Path(config.text.vectors)), config.text.dimensions
    if asked not in (None, found):
        raise UsageError(
            f"Setting 'text.dimensions' is {asked}, but the word vectors '{config.text.vectors}' "
            f"have {found} dimensions. Leave one of them out."
        )
    return found


def _text_of(pretrained: Pretrained, backbone: TextBackbone) -> DecidedText:
    """Returns the settings of a pretrained backbone."""
    num_features = int(pretrained.network.output_shape[-1])
    units = num_features // backbone.num_features(1, 1)
    return DecidedText(
        max_words=pretrained.max_words,
        vocabulary=max(10, pretrained.num_words),
        dimensions=pretrained.dimensions,
        units=units,
        dropout=pretrained.dropout,
    )


def _check_same(asked: TextConfig, known: DecidedText, which: str) -> None:
    """Raises a UsageError if other words or layers are asked for than a pretrained backbone has."""
    for name in ("max_words", "vocabulary", "dimensions", "units", "dropout", "vectors"):
        given, has = getattr(asked, name), getattr(known, name)
        if given not in (None, has):
            raise UsageError(
                f"Setting 'text.{name}' is {given!r}, but the pretrained backbone {which} has "
                f"{has!r}. Leave it out."
            )


def _check_encoder(asked: TextConfig, backbone: TextBackbone) -> None:
    """Raises a UsageError if an encoder is asked for what it has not.

    How much of a text it reads and its dropout may be chosen.
    """
    encoder = backbone.encoder
    if encoder is None:
        return
    known = DecidedText(
        max_words=asked.max_words or 1,
        vocabulary=max(10, encoder.vocabulary_size),
        dimensions=encoder.hidden_dim,
        units=encoder.hidden_dim,
        dropout=encoder.dropout if asked.dropout is None else asked.dropout,
    )
    _check_same(asked, known, f"'{backbone.name}'")
    if known.max_words > encoder.most_words:
        raise UsageError(
            f"Setting 'text.max_words' (--text-max-words) is {known.max_words}, but backbone "
            f"'{backbone.name}' has positions for {encoder.most_words} tokens. Give at most that."
        )


def _check_stages(pretrained: Pretrained, backbone: TextBackbone) -> None:
    """Raises a UsageError if a pretrained backbone is of another kind."""
    own = set(backbone.stages)
    if not own <= pretrained.stages or (pretrained.stages & {"recurrent", "convolutions"}) - own:
        raise UsageError(
            f"The weights are not those of backbone '{backbone.name}': they have the stages "
            f"{', '.join(sorted(pretrained.stages - {'ids'}))}. Name the backbone that was "
            "pretrained with --backbone."
        )
