"""What is known of an encoder before it is built. No TensorFlow is imported."""

from dataclasses import dataclass
from typing import Any

from tfxfer.errors import UsageError
from tfxfer.models.presets.settings import Kind, number, whole_number

# What its settings may be. Larger networks than any that is published are refused unread.
SETTINGS: dict[str, Kind] = {
    "vocabulary_size": whole_number(1_000_000),
    "num_layers": whole_number(256),
    "num_heads": whole_number(1024),
    "hidden_dim": whole_number(16_384),
    "intermediate_dim": whole_number(65_536),
    "max_sequence_length": whole_number(65_536),
    "dropout": number(0, 0.99),
    "attention_dropout": number(0, 0.99),
    "epsilon": number(1e-15, 0.1),
    "num_segments": whole_number(1024),
}

# The start and the end of a text are tokens, too.
NUM_ENDS = 2


@dataclass(frozen=True)
class Encoder:
    """A network of transformer blocks that reads a whole text at once.

    Attributes:
        folder: Where its files are; empty for one in a package, see `packages`.
        family: "bert" or "distilbert".
        is_preset: Whether the files are a preset of KerasHub, else a directory of transformers.
        vocabulary_size: Rows of its embedding.
        num_layers: Its blocks.
        num_heads: Heads of each attention.
        hidden_dim: Width of a token, and number of features of a text.
        intermediate_dim: Hidden units of the perceptron in a block.
        max_sequence_length: Positions, each with an embedding.
        dropout: Rate after the embeddings and each part of a block.
        attention_dropout: Rate within the attention.
        epsilon: Of the layer normalization.
        approximate: Whether GELU is computed by the hyperbolic tangent.
        mean: Whether the features are the mean over the tokens, else those of the first token.
        max_tokens: Tokens of a text in its pretraining, those at both ends included.
        lowercase, strip_accents: What its tokenizer does to a text first.
        license: Of the weights.
        packages: Packages that have the files, each with its name, its module and the folder
            inside; the first installed one is read.
        weights_hash: SHA-256 of the weights; empty where it is not known.
    """

    folder: str
    family: str
    is_preset: bool
    vocabulary_size: int
    num_layers: int
    num_heads: int
    hidden_dim: int
    intermediate_dim: int
    max_sequence_length: int
    dropout: float
    attention_dropout: float
    epsilon: float
    approximate: bool
    mean: bool
    max_tokens: int
    lowercase: bool
    strip_accents: bool
    license: str
    packages: tuple[tuple[str, str, str], ...] = ()
    weights_hash: str = ""

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that are unfrozen one by one, from the words to the features."""
        return ("embedding", *(f"block{place}" for place in range(1, self.num_layers + 1)))

    @property
    def num_parameters(self) -> int:
        """Number of parameters, without the part of a file that no classifier needs."""
        width, hidden = self.hidden_dim, self.intermediate_dim
        block = 4 * width * (width + 1) + 2 * width * hidden + hidden + width + 4 * width
        embeddings = (self.vocabulary_size + self.max_sequence_length + 2) * width
        return embeddings + self.num_layers * block

    @property
    def most_words(self) -> int:
        """Tokens of a text that it has positions for, besides both ends."""
        return self.max_sequence_length - NUM_ENDS


def checked_encoder(where: str, settings: dict[str, Any], **own: Any) -> Encoder:
    """Returns the record of an encoder with these settings.

    Args:
        where: The file, for messages.
        settings: Those of `SETTINGS`, each of its kind.
        **own: The other fields; `max_tokens` may be left out.

    Raises:
        UsageError: There is no such network.
    """
    if settings["hidden_dim"] % settings["num_heads"]:
        raise UsageError(
            f"{where} describes no possible network: {settings['num_heads']} heads do not divide a "
            f"width of {settings['hidden_dim']}."
        )
    if settings["max_sequence_length"] <= NUM_ENDS:
        raise UsageError(
            f"{where} describes no possible network: with {settings['max_sequence_length']} "
            "positions there is none for a word between the start and the end of a text."
        )
    fields = {key: value for key, value in settings.items() if key != "num_segments"}
    most = settings["max_sequence_length"]
    asked = own.pop("max_tokens", most)
    return Encoder(**fields, **own, max_tokens=max(NUM_ENDS + 1, min(asked, most)))
