"""The plan of a fit or a pretraining on texts: every setting decided before any work starts."""

import dataclasses
import functools
import pathlib
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from tfxfer.config.decided import (
    DecidedHead,
    DecidedTextFit,
    DecidedTextPretrain,
    DecidedTextRun,
)
from tfxfer.config.schema import FitConfig, PretrainConfig
from tfxfer.errors import UsageError
from tfxfer.planning.resuming import choose_run
from tfxfer.system.devices import tell_of_missing_gpus
from tfxfer.system.files import check_writable
from tfxfer.system.run_layout import RunDirectory
from tfxfer.text.data.opening import open_texts
from tfxfer.text.data.source import TextSource
from tfxfer.text.data.unlabeled import open_unlabeled
from tfxfer.text.models.backbones import TextBackbone
from tfxfer.text.models.classifier import TextClassifier, assembled, build_text_classifier
from tfxfer.text.models.next_word import predicting_words
from tfxfer.text.models.vectors import WordVectors, read_vectors
from tfxfer.text.models.vocabulary import Vocabulary, word_frequencies
from tfxfer.text.models.weights import Pretrained
from tfxfer.text.planning.defaults import TextFacts, decide_text, decide_text_pretraining
from tfxfer.text.planning.start import asked_dimensions, find_start, word_counts
from tfxfer.text.preflight import check_asked


@dataclass(frozen=True)
class _TextPlan:
    """What the plans of a fit and of a pretraining share.

    Attributes:
        source: The opened data.
        backbone: The record of the backbone.
        run: The directory of the results, which may not exist yet.
        lengths: Words of each training text, or tokens of an encoder, (num_examples,).
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

    @property
    def predicts_words(self) -> bool:
        """Whether the next word is predicted, not labels."""
        return self.config.objective == "next-word"

    @functools.cached_property
    def classifier(self) -> TextClassifier:
        """The classifier with its initial weights; see `predicting_words`."""
        built = self._built(self.config, DecidedHead(epochs=0, dropout=0.2))
        return predicting_words(built, self.config.seed) if self.predicts_words else built


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
    start = find_start(config, backbone)
    source = open_texts(config)
    lengths = start.lengths(source.splits["train"].texts)
    facts = TextFacts(
        num_train=len(lengths),
        longest=int(lengths.max()),
        backbone=backbone,
        pretrained=start.known(backbone),
        vector_dimensions=asked_dimensions(config),
        usual=int(np.quantile(lengths, 0.9, method="inverted_cdf")),
    )
    decided = decide_text(config, facts)
    run = choose_run(FitConfig, decided, f"{source.name}-{backbone.file_name}")
    decided = dataclasses.replace(decided, run=run.path.name)
    plan = TextPlan(source, backbone, run, lengths, decided, start.pretrained(decided))
    check_writable(plan.export_directory, "export_dir")
    return plan


def make_text_pretrain_plan(config: PretrainConfig) -> TextPretrainPlan:
    """Returns the plan of a pretraining on texts, as `make_text_plan` does for a fit."""
    backbone = check_asked(config)
    check_backend()
    source = (open_unlabeled if config.objective == "next-word" else open_texts)(config)
    lengths = word_counts(source.splits["train"].texts)
    dimensions = asked_dimensions(config)
    facts = TextFacts(len(lengths), int(lengths.max()), backbone, None, dimensions)
    decided = decide_text_pretraining(config, facts)
    run = choose_run(PretrainConfig, decided, f"{source.name}-{backbone.file_name}-pretrain")
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
