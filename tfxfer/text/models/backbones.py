"""The text backbones to choose from. No TensorFlow is imported."""

import dataclasses
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass

from tfxfer.config.paths import expand_user
from tfxfer.errors import UsageError, WeightsError, did_you_mean
from tfxfer.models.presets.tokens import hub
from tfxfer.system.names import safe_name
from tfxfer.text.models.encoders import packaged
from tfxfer.text.models.encoders.directories import kind_of, read_encoder
from tfxfer.text.models.encoders.record import Encoder

# Begins the name of a backbone that is read from a directory, as for images.
PREFIX = "kerashub:"

# The weights of an encoder, as the setting `weights` names them.
OWN_WEIGHTS = "pretrained"


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
        encoder: Where it comes pretrained from; None if it starts from random weights.
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
    encoder: Encoder | None = None

    @property
    def is_encoder(self) -> bool:
        """Whether it is a BERT-like encoder."""
        return "block1" in self.stages

    @property
    def is_recurrent(self) -> bool:
        """Whether it reads word by word, in both directions."""
        return _RECURRENT in self.stages

    @property
    def has_units(self) -> bool:
        """Whether the width of its layers is a setting of its own."""
        return len(self.stages) > 1 and not self.is_encoder

    @property
    def file_name(self) -> str:
        """Its name as a part of file names; of a directory the last part."""
        is_directory = self.name.startswith(PREFIX)
        return safe_name(pathlib.Path(self.name).name, "encoder") if is_directory else self.name

    @property
    def unit(self) -> str:
        """What it reads, in the plural."""
        return "tokens" if self.is_encoder else "words"

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

# Those that start from random weights, see `networks`. Units, dropout, epochs and learning rates of
# `average` and `lstm` are measured on IMDB (docs/text.md), those of `textcnn` and `gru` are not.
NETWORKS = {
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


def encoder_backbone(name: str, encoder: Encoder, paper: str = "") -> TextBackbone:
    """Returns the record of an encoder as a backbone.

    Args:
        name: What `--backbone` calls it.
        encoder: The encoder.
        paper: Where it comes from; empty takes that of its family.
    """
    families = {
        "bert": "Devlin et al. 2018, arXiv:1810.04805",
        "distilbert": "Sanh et al. 2019, arXiv:1910.01108",
    }
    kind = {"bert": "BERT", "distilbert": "DistilBERT"}[encoder.family]
    features = "mean over the tokens" if encoder.mean else "class token"
    return TextBackbone(
        name=name,
        what=f"pretrained {kind}, {encoder.num_layers} blocks, {features}",
        stages=encoder.stages,
        paper=paper or families[encoder.family],
        dimensions=encoder.hidden_dim,
        units=encoder.hidden_dim,
        dropout=encoder.dropout,
        # In the ranges of Devlin et al. 2018, appendix A.3.
        learning_rate=5e-5,
        epochs=3,
        encoder=encoder,
    )


BACKBONES = {
    **NETWORKS,
    packaged.NAME: encoder_backbone(packaged.NAME, packaged.MINILM, packaged.PAPER),
}


def is_text_backbone(name: str) -> bool:
    """Tells whether a name is that of a text backbone, or of a directory that has an encoder."""
    if name in BACKBONES:
        return True
    try:
        folder = _folder(name)
    except (UsageError, WeightsError):  # which is told once more for images
        return False
    return folder is not None and kind_of(folder) is not None


def find_text_backbone(name: str) -> TextBackbone:
    """Returns the record of a text backbone.

    Args:
        name: One of the table, or `kerashub:` and the directory of an encoder, or its address at
            Hugging Face with `hf://`.

    Raises:
        UsageError: There is none of that name, or it cannot be used.
    """
    if name in BACKBONES:
        return BACKBONES[name]
    folder = _folder(name)
    if folder is None:
        raise UsageError(
            f"Unknown text backbone '{name}'.{did_you_mean(name, BACKBONES)} Text backbones are "
            f"{', '.join(BACKBONES)}, and {PREFIX}DIRECTORY with a BERT-like encoder."
        )
    what = name[len(PREFIX) :]
    shown = name if what.startswith(hub.SCHEME) else f"{PREFIX}{folder}"
    return encoder_backbone(shown, read_encoder(folder))


def recorded_backbone(name: str, stages: Sequence[str]) -> TextBackbone:
    """Returns the record of the backbone of a trained model, whose directory may be gone.

    Args:
        name: As for `find_text_backbone`.
        stages: Those of the model.
    """
    try:
        return find_text_backbone(name)
    except (UsageError, WeightsError):
        own = tuple(stages)
        what = f"pretrained encoder, {len(own) - 1} blocks"
        gone = dataclasses.replace(BACKBONES[packaged.NAME], encoder=None)
        return dataclasses.replace(
            gone, name=name, what=what, stages=own, paper="its directory is not there any more"
        )


def _folder(name: str) -> pathlib.Path | None:
    """Returns the directory that a name means; None if it means none."""
    if not name.lower().startswith(PREFIX):
        return None
    what = name[len(PREFIX) :]
    if what.startswith(hub.SCHEME):
        return hub.folder_of(what)
    path = pathlib.Path(expand_user(what, "Setting 'backbone'"))
    return path.resolve() if what and path.is_dir() else None
