"""The classifier of texts: vectorize -> backbone -> head -> logits, and what of it is trainable."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from tfxfer.config.decided import DecidedHead, DecidedTextRun
from tfxfer.models.heads import build_head
from tfxfer.models.layers import count_parameters, rate_factors
from tfxfer.models.objectives import SOFTMAX, Objective
from tfxfer.models.standardization import Standardization
from tfxfer.system.digests import id_of
from tfxfer.system.isolation import seed_initial_weights
from tfxfer.text.models.backbones import TextBackbone
from tfxfer.text.models.networks import build_network, stage_layers
from tfxfer.text.models.vocabulary import TOKENS, VECTORIZER, Ids, Vocabulary, vectorized

# Parts of a saved model, besides the vectorizer, by the names of their layers.
BACKBONE, HEAD = "backbone", "head"


@dataclass(frozen=True)
class TextClassifier:
    """A classifier of texts.

    Attributes:
        record: The record of the backbone.
        vectorizer: Texts to ids of words; it is not trained.
        backbone: Ids to features, (batch, num_features).
        head: Features to float32 logits, (batch, num_classes).
        model: Ids to logits; what is trained.
        objective: What the head is trained for.
    """

    record: TextBackbone
    vectorizer: keras.Model
    backbone: keras.Model
    head: keras.Model
    model: keras.Model
    objective: Objective = SOFTMAX

    @functools.cached_property
    def stages(self) -> dict[str, list[Any]]:
        """The layers of the backbone by stage."""
        return stage_layers(self.backbone, self.record)

    def ids(self, texts: Sequence[str]) -> Ids:
        """Returns the ids of texts, (num_texts, length)."""
        return vectorized(self.vectorizer, texts)

    def unfreeze(self, unfreeze: str) -> None:
        """Makes the head and part or all of the backbone trainable; compile again afterwards.

        Args:
            unfreeze: "all", "none", or the first stage to train, with all stages after it.
        """
        trained = self.record.unfrozen_stages(unfreeze)
        self.backbone.trainable = True
        for stage, layers in self.stages.items():
            for layer in layers:
                layer.trainable = stage in trained

    def rate_factors(self, unfreeze: str, head_rate: float, layer_decay: float) -> dict[int, float]:
        """Returns the factors of `layers.rate_factors`; `unfreeze` is as for that method."""
        trained = [self.stages[stage] for stage in self.record.unfrozen_stages(unfreeze)]
        return rate_factors(self.head, trained, head_rate, layer_decay)

    def absorb(self, standardization: Standardization) -> None:
        """Folds the standardization of features into the head's first layer."""
        first = next(layer for layer in self.head.layers if layer.weights)
        first.set_weights(standardization.absorbed(*first.get_weights()))

    def digest(self) -> str:
        """Returns a digest of the vocabulary and of the backbone's weights."""
        tokens = self.vectorizer.get_layer(TOKENS).get_vocabulary()
        weights = [*self.vectorizer.get_weights(), *self.backbone.get_weights()]
        return id_of("\n".join(tokens).encode(), *(one.tobytes() for one in weights)).hex()

    def num_trainable(self) -> int:
        """Returns the number of trainable parameters."""
        return count_parameters(self.model.trainable_weights)

    def num_parameters(self) -> int:
        """Returns the number of parameters of backbone and head together."""
        return count_parameters(self.model.weights)

    def with_probabilities(self) -> keras.Model:
        """Returns the model that is saved: texts, strings of shape (batch,), to probabilities.

        It consists of Keras' own layers alone, so it loads anywhere in safe mode.
        """
        text = keras.Input((), dtype="string", name="text")
        logits = self.head(self.backbone(self.vectorizer(text)))
        return keras.Model(text, self.objective.activation()(logits), name="classifier")

    def as_backbone(self) -> keras.Model:
        """Returns the model that a pretraining saves: texts to features."""
        text = keras.Input((), dtype="string", name="text")
        return keras.Model(text, self.backbone(self.vectorizer(text)), name="text_backbone")


def build_text_classifier(
    record: TextBackbone,
    config: DecidedTextRun,
    head: DecidedHead,
    vocabulary: Vocabulary,
    num_classes: int,
) -> TextClassifier:
    """Returns a classifier with random weights and zero logits.

    Args:
        record: The record of the backbone.
        config: Settings, all decided; `text` and `seed` are read.
        head: Hidden layers and dropout.
        vocabulary: The words.
        num_classes: How many logits.
    """
    seed_initial_weights(config.seed)
    network = build_network(record, config.text, vocabulary.num_ids, config.seed)
    vectorizer = vocabulary.vectorizer(config.text.max_words)
    return assembled(record, vectorizer, network, head, num_classes, config.seed)


def assembled(
    record: TextBackbone,
    vectorizer: keras.Model,
    network: keras.Model,
    head: DecidedHead,
    num_classes: int,
    seed: int,
) -> TextClassifier:
    """Returns a classifier of a vectorizer and a backbone, with a new head of zero logits."""
    top = build_head(head, network.output_shape[-1], num_classes, seed + 10)
    ids = keras.Input((None,), dtype="int32", name="ids")
    model = keras.Model(ids, top(network(ids)), name="logits")
    return TextClassifier(record, vectorizer, network, top, model)


def features_model(model: keras.Model) -> keras.Model:
    """Returns a model with the layers of a saved classifier that also outputs its features.

    Its outputs are `probabilities`, (batch, num_classes), and `features`, (batch, num_features).
    """
    text = keras.Input((), dtype="string", name="text")
    features = model.get_layer(BACKBONE)(model.get_layer(VECTORIZER)(text))
    probabilities = model.layers[-1](model.get_layer(HEAD)(features))
    return keras.Model(text, {"probabilities": probabilities, "features": features})
