"""The text backbones to choose from. No TensorFlow is imported."""

from dataclasses import dataclass

from tfxfer.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class TextBackbone:
    """A network from words to features; see `networks` for its layers.

    Attributes:
        name: What `--backbone` calls it.
        what: One line on what it does.
        stages: Its stages, from the words to the features; `finetune.unfreeze` names one.
        paper: Where it comes from.
        dimensions: Default width of the word embeddings.
        units: Default number of units; see the setting `text.units`.
        dropout: Default dropout rate on the embeddings.
        learning_rate: Default peak learning rate from random weights.
        epochs: Default number of epochs from random weights.
    """

    name: str
    what: str
    stages: tuple[str, ...]
    paper: str
    dimensions: int
    units: int
    dropout: float
    learning_rate: float
    epochs: int

    @property
    def has_units(self) -> bool:
        """Whether it has layers besides the embedding."""
        return len(self.stages) > 1

    def num_features(self, dimensions: int, units: int) -> int:
        """Returns the number of features of a text, by the settings of these names."""
        if not self.has_units:
            return dimensions
        return (len(FILTER_WIDTHS) if self.name == "textcnn" else 2) * units

    def unfrozen_stages(self, unfreeze: str) -> tuple[str, ...]:
        """Returns the trainable stages under a value of the setting `finetune.unfreeze`."""
        if unfreeze in ("all", "none"):
            return self.stages if unfreeze == "all" else ()
        return self.stages[self.stages.index(unfreeze) :]


# Words that each filter of textcnn sees (Kim 2014, section 3.1).
FILTER_WIDTHS = (3, 4, 5)

_EMBEDDING, _RECURRENT = "embedding", "recurrent"

# Units, dropout, epochs and learning rates of `average` and `lstm` are measured on IMDB
# (docs/text.md), those of `textcnn` and `gru` are not.
BACKBONES = {
    backbone.name: backbone
    for backbone in (
        TextBackbone(
            name="average",
            what="mean of the word embeddings",
            stages=(_EMBEDDING,),
            paper="Joulin et al. 2016, arXiv:1607.01759",
            dimensions=64,
            units=64,
            dropout=0.2,
            learning_rate=3e-3,
            epochs=4,
        ),
        TextBackbone(
            name="textcnn",
            what="convolutions of width 3, 4 and 5, max pooling over time",
            stages=(_EMBEDDING, "convolutions"),
            paper="Kim 2014, arXiv:1408.5882",
            dimensions=64,
            units=64,
            dropout=0.2,
            learning_rate=2e-3,
            epochs=3,
        ),
        TextBackbone(
            name="gru",
            what="bidirectional GRU, max pooling over time",
            stages=(_EMBEDDING, _RECURRENT),
            paper="Cho et al. 2014, arXiv:1406.1078",
            dimensions=64,
            units=64,
            dropout=0.2,
            learning_rate=3e-3,
            epochs=3,
        ),
        TextBackbone(
            name="lstm",
            what="bidirectional LSTM, max pooling over time",
            stages=(_EMBEDDING, _RECURRENT),
            paper="Hochreiter & Schmidhuber 1997, Neural Computation 9",
            dimensions=64,
            units=64,
            dropout=0.2,
            learning_rate=3e-3,
            epochs=3,
        ),
    )
}


def find_text_backbone(name: str) -> TextBackbone:
    """Returns the record of a text backbone.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in BACKBONES:
        raise UsageError(
            f"Unknown text backbone '{name}'.{did_you_mean(name, BACKBONES)} Text backbones are "
            f"{', '.join(BACKBONES)}."
        )
    return BACKBONES[name]
