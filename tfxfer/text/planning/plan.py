"""The plan of a fit or a pretraining on texts: every setting decided before any work starts."""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from tfxfer.config.decided import (
    DecidedHead,
    DecidedText,
    DecidedTextFit,
    DecidedTextPretrain,
    DecidedTextRun,
)
from tfxfer.config.schema import FitConfig, PretrainConfig, RunConfig, TextConfig
from tfxfer.errors import UsageError
from tfxfer.planning.resuming import choose_run
from tfxfer.system.devices import tell_of_missing_gpus
from tfxfer.system.files import check_writable
from tfxfer.system.run_layout import RunDirectory
from tfxfer.text.data.opening import open_texts
from tfxfer.text.data.source import TextSource
from tfxfer.text.models.backbones import TextBackbone
from tfxfer.text.models.classifier import TextClassifier, assembled, build_text_classifier
from tfxfer.text.models.vectors import WordVectors, read_vectors, vector_dimensions
from tfxfer.text.models.vocabulary import Vocabulary, tokens_of, word_frequencies
from tfxfer.text.models.weights import Pretrained, find_weights, read_pretrained
from tfxfer.text.planning.defaults import TextFacts, decide_text, decide_text_pretraining
from tfxfer.text.preflight import check_asked


@dataclass(frozen=True)
class _TextPlan:
    """What the plans of a fit and of a pretraining share.

    Attributes:
        source: The opened data.
        backbone: The record of the backbone.
        run: The directory of the results, which may not exist yet.
        lengths: Words of each training text, (num_examples,).
    """

    source: TextSource
    backbone: TextBackbone
    run: RunDirectory
    lengths: npt.NDArray[np.int64]

    def _built(self, config: DecidedTextRun, head: DecidedHead) -> TextClassifier:
        """Returns a new classifier, its embeddings the word vectors if there are any."""
        vocabulary = Vocabulary.of(self.source.splits["train"].texts, config.text.vocabulary)
        num_classes = len(self.source.class_names)
        found = build_text_classifier(self.backbone, config, head, vocabulary, num_classes)
        vectors = self._vectors(config, vocabulary)
        if vectors is not None:
            vectors.place(found.backbone)
        return found

    def _vectors(self, config: DecidedTextRun, vocabulary: Vocabulary) -> WordVectors | None:
        if config.text.vectors is None:
            return None
        return read_vectors(pathlib.Path(config.text.vectors), vocabulary, config.seed)

    def describe_vectors(self, config: DecidedTextRun) -> str | None:
        """Returns how much of the vocabulary the word vectors cover; None without any."""
        texts = self.source.splits["train"].texts
        counts = word_frequencies(texts)
        vocabulary = Vocabulary.of(texts, config.text.vocabulary)
        vectors = self._vectors(config, vocabulary)
        return None if vectors is None else vectors.describe([counts[w] for w in vocabulary.words])


@dataclass(frozen=True)
class TextPlan(_TextPlan):
    """A fit on texts that is ready to run.

    Attributes:
        config: All settings, decided.
        pretrained: The pretrained backbone; None for random weights.
    """

    config: DecidedTextFit
    pretrained: Pretrained | None

    @property
    def export_directory(self) -> pathlib.Path:
        """The folder of the exported versions of this model."""
        return pathlib.Path(self.config.export_dir, self.run.path.name)

    @functools.cached_property
    def classifier(self) -> TextClassifier:
        """The classifier with its initial weights."""
        config, num_classes = self.config, len(self.source.class_names)
        if self.pretrained is not None:
            given = self.pretrained
            return assembled(
                self.backbone,
                given.vectorizer,
                given.network,
                config.head,
                num_classes,
                config.seed,
            )
        return self._built(config, config.head)


@dataclass(frozen=True)
class TextPretrainPlan(_TextPlan):
    """A pretraining on texts that is ready to run.

    Attributes:
        config: All settings, decided.
    """

    config: DecidedTextPretrain

    @functools.cached_property
    def classifier(self) -> TextClassifier:
        """The classifier with its initial weights."""
        return self._built(self.config, DecidedHead(epochs=0, dropout=0.2))


def make_text_plan(config: FitConfig) -> TextPlan:
    """Returns the plan of a fit on texts: settings checked, data opened, open settings decided.

    An interrupted run with the same settings is resumed. Nothing is written.

    Args:
        config: The settings that the user gave.

    Raises:
        UsageError: A setting is impossible, or names something that does not exist.
        DataError: The data cannot be used.
    """
    backbone = check_asked(config)
    check_backend()
    pretrained = None
    if config.weights not in (None, "none"):
        pretrained = read_pretrained(find_weights(str(config.weights)))
        _check_stages(pretrained, backbone)
    source = open_texts(config)
    lengths = word_counts(source.splits["train"].texts)
    known = None if pretrained is None else _text_of(pretrained, backbone)
    if known is not None:
        _check_same(config.text, known)
    dimensions = _vector_dimensions(config)
    facts = TextFacts(len(lengths), int(lengths.max()), backbone, known, dimensions)
    decided = decide_text(config, facts)
    run = choose_run(FitConfig, decided, f"{source.name}-{backbone.name}")
    decided = dataclasses.replace(decided, run=run.path.name)
    plan = TextPlan(source, backbone, run, lengths, decided, pretrained)
    check_writable(plan.export_directory, "export_dir")
    return plan


def make_text_pretrain_plan(config: PretrainConfig) -> TextPretrainPlan:
    """Returns the plan of a pretraining on texts, as `make_text_plan` does for a fit."""
    backbone = check_asked(config)
    check_backend()
    source = open_texts(config)
    lengths = word_counts(source.splits["train"].texts)
    dimensions = _vector_dimensions(config)
    facts = TextFacts(len(lengths), int(lengths.max()), backbone, None, dimensions)
    decided = decide_text_pretraining(config, facts)
    run = choose_run(PretrainConfig, decided, f"{source.name}-{backbone.name}-pretrain")
    decided = dataclasses.replace(decided, run=run.path.name)
    return TextPretrainPlan(source, backbone, run, lengths, decided)


def check_backend() -> None:
    """Raises a UsageError unless the Keras backend is TensorFlow."""
    tell_of_missing_gpus()
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise UsageError(
            f"The Keras backend is '{backend}', which does not support strings, so models of texts "
            "need TensorFlow. Set KERAS_BACKEND=tensorflow."
        )


def word_counts(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Returns the number of words of each text, as the model counts them."""
    return np.array([len(tokens_of(text)) for text in texts], np.int64)


def _vector_dimensions(config: RunConfig) -> int | None:
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


def _check_same(asked: TextConfig, known: DecidedText) -> None:
    """Raises a UsageError if other words or layers are asked for than a pretrained backbone has."""
    for name in ("max_words", "vocabulary", "dimensions", "units", "dropout", "vectors"):
        given, has = getattr(asked, name), getattr(known, name)
        if given not in (None, has):
            raise UsageError(
                f"Setting 'text.{name}' is {given!r}, but the pretrained backbone that --weights "
                f"names has {has!r}. Leave it out."
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
