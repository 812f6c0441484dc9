"""The classifier: normalize -> backbone -> pool -> head -> logits, and what of it is trainable.

The saved model consists of Keras' own layers. Training and evaluation use two halves that share its
weights, with BatchNorm folded into the convolutions (`folding`): same numbers, faster.
"""

import dataclasses
import functools
import itertools
from collections.abc import Mapping
from typing import Any

import keras

from tfxfer.config.decided import DecidedHead, DecidedRun
from tfxfer.config.frame import sides
from tfxfer.config.schema import TestTimeViews
from tfxfer.models.backbones.backbone import Backbone, unfrozen_stages
from tfxfer.models.backbones.channels import with_channels
from tfxfer.models.folding.each_step import (
    FoldedNetwork,
    fold_batch_norm,
    layers_behind,
    tensor_takers,
)
from tfxfer.models.halves import Halves
from tfxfer.models.heads import averaged_with_mirrored, build_head
from tfxfer.models.layers import count_parameters, in_float32, rate_factors
from tfxfer.models.objectives import SOFTMAX, Objective
from tfxfer.models.preprocessing import image_input, normalize
from tfxfer.models.stages.cutting import cut, features_of
from tfxfer.models.stages.reading import Reading, read_by
from tfxfer.models.standardization import Standardization
from tfxfer.models.weights import load_backbone, stage_layers
from tfxfer.system.devices import dtype_policy
from tfxfer.system.digests import id_of
from tfxfer.system.isolation import seed_initial_weights

# How much of BatchNorm's statistics each step keeps while they adapt. Keras' 0.99 to 0.999 is made
# for a million images: in the few hundred steps of a small dataset the statistics lag so far
# behind that inference stays at chance (measured: MobileNet on the digits, 12 epochs). This is
# PyTorch's default.
_ADAPTING_MOMENTUM = 0.9


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A pretrained backbone with a new head, as several views of the same layers.

    Attributes:
        backbone: The pretrained network without its classifier.
        stages: The backbone's layers by stage, in order.
        head: Pooled features to float32 logits, (batch, num_classes).
        model: Images in [0, 255], (batch, height, width, channels), to float32 logits; what is
            saved. Three channels are red, green and blue.
        entry: Images to what the backbone takes.
        reading: What the head reads of the backbone.
        folded: The backbone with BatchNorm folded.
        cuts: For each stage at which the backbone falls into two parts that share one tensor, the
            layer whose output that tensor is; the input for the first.
        objective: What the head is trained for.
    """

    backbone: keras.Model
    stages: dict[str, list[keras.layers.Layer]]
    head: keras.Model
    model: keras.Model
    entry: keras.Model
    reading: Reading
    folded: FoldedNetwork
    cuts: dict[str, str | None]
    objective: Objective = SOFTMAX

    @functools.cached_property
    def features(self) -> keras.Model:
        """Images to float32 pooled features, (batch, num_features)."""
        return features_of(self.entry, self.folded, self.reading)

    def halves(self) -> Halves:
        """Returns what is frozen and what is trained, as `freeze` or `unfreeze` left it."""
        names = list(self.stages)
        trained = [any(layer.trainable for layer in layers) for layers in self.stages.values()]
        if not any(trained):
            return Halves(self.features, self.head, costly=True)
        stage = self._cut_before(names[trained.index(True)])
        layer, before = self.cuts[stage], names[: names.index(stage)]
        frozen, start, features = cut(self.entry, self.folded, self.reading, layer, before)
        model = keras.Model(start, self.head(features))
        alone = not self.reading.ends
        return Halves(frozen, model, layer is not None, layer if alone else None)

    def frozen_layer(self, unfreeze: str) -> str | None:
        """Returns `Halves.layer` of the halves with a part unfrozen; see `unfreeze`."""
        if unfreeze in ("all", "none") or self.reading.ends:
            return None
        return self.cuts[self._cut_before(unfreeze)]

    def features_beside(self, layer: str) -> keras.Model:
        """Returns images to their features and, from the same pass, to the output of a layer."""
        return features_of(self.entry, self.folded, self.reading, layer)

    def freeze(self) -> None:
        """Makes only the head trainable; compile again afterwards."""
        self._train_from(None, "frozen")

    def unfreeze(self, unfreeze: str, batch_norm: str) -> None:
        """Makes the head and part or all of the backbone trainable; compile again afterwards.

        Args:
            unfreeze: "all", "none", or the first stage to train, with all stages after it.
            batch_norm: "frozen" keeps every BatchNormalization layer in inference mode: neither its
                moving statistics nor its scale and offset change. "adapt" lets those of the
                unfrozen stages use batch statistics and learn.
        """
        first = {"all": next(iter(self.stages)), "none": None}.get(unfreeze, unfreeze)
        self._train_from(first, batch_norm)

    def rate_factors(self, unfreeze: str, head_rate: float, layer_decay: float) -> dict[int, float]:
        """Returns the factors of `layers.rate_factors`; `unfreeze` is as for that method."""
        trained = [self.stages[stage] for stage in unfrozen_stages(list(self.stages), unfreeze)]
        return rate_factors(self.head, trained, head_rate, layer_decay)

    def absorb(self, standardization: Standardization) -> None:
        """Folds the standardization of features into the head's first layer.

        A head trained on standardized features then computes the same from raw features.
        """
        first = next(layer for layer in self.head.layers if layer.weights)
        first.set_weights(standardization.absorbed(*first.get_weights()))

    def digest(self) -> str:
        """Returns a digest of the backbone's weights."""
        return id_of(*(weight.tobytes() for weight in self.backbone.get_weights())).hex()

    def num_trainable(self) -> int:
        """Returns the number of trainable parameters."""
        return count_parameters(self.model.trainable_weights)

    def num_parameters(self) -> int:
        """Returns the number of parameters of backbone and head together."""
        return count_parameters(self.model.weights)

    def with_probabilities(self, views: TestTimeViews = "none") -> keras.Model:
        """Returns a float32 model from images in [0, 255] to class probabilities.

        It consists of Keras' own layers alone, so a saved file of it loads anywhere in safe mode.
        After training in mixed precision it is a float32 copy; otherwise it shares the layers.

        Args:
            views: Over which views of an image the logits are averaged; "none" is the image alone.
        """
        model = in_float32(self.model)
        logits = averaged_with_mirrored(model) if views == "flip" else model.output
        probabilities = self.objective.activation()(logits)
        return keras.Model(model.input, probabilities, name="classifier")

    def _cut_before(self, stage: str) -> str:
        """Returns the stage at which the backbone is cut so that a stage is trained."""
        names = list(self.stages)
        # NASNet cannot be cut at every stage; then the cut is at one before.
        return next(name for name in reversed(names[: names.index(stage) + 1]) if name in self.cuts)

    def _train_from(self, first_stage: str | None, batch_norm: str) -> None:
        # Assigning to the backbone reaches every layer in it, so it comes first. Afterwards each
        # layer's own flag holds: BatchNormalization that is not trainable runs in inference mode,
        # whatever `training` argument the model is called with (the argument alone does not hold
        # once the backbone is trainable: keras-team/keras#20285).
        self.backbone.trainable = True
        training = False
        for stage, layers in self.stages.items():
            training = training or stage == first_stage
            for layer in layers:
                is_batch_norm = isinstance(layer, keras.layers.BatchNormalization)
                layer.trainable = training and (batch_norm == "adapt" or not is_batch_norm)
                if is_batch_norm and layer.trainable:
                    layer.momentum = min(layer.momentum, _ADAPTING_MOMENTUM)


def build_classifier(
    backbone: Backbone,
    config: DecidedRun,
    head: DecidedHead,
    weights: str,
    num_classes: int,
    objective: Objective = SOFTMAX,
) -> Classifier:
    """Returns a classifier with the backbone's weights loaded and zero logits, its backbone frozen.

    Args:
        backbone: The row of the backbone table.
        config: Settings, all decided; the sizes, `precision` and `seed` are read. The head is
            float32 under any precision.
        head: Pooling, hidden layers and dropout.
        weights: Of the backbone; see `weights.load_backbone`.
        num_classes: How many classes or labels there are.
        objective: What the head is to be trained for.

    Raises:
        UsageError, WeightsError: The weights cannot be loaded; see `load_backbone`.
    """
    # Without pretrained weights the initial ones are random: fixed by the seed.
    seed_initial_weights(config.seed)
    with dtype_policy(config.precision):
        network = load_backbone(backbone, config.image_size, weights)
        network = with_channels(network, backbone, config.channels)
        folded = fold_batch_norm(network)
        stages = stage_layers(network, backbone)
        cuts = _cuts(network, stages)
        image = image_input(config.frame)
        x = image
        if config.input_size != config.image_size:
            x = keras.layers.Resizing(*sides(config.image_size), name="upsample", dtype="float32")(
                x
            )
        x = normalize(backbone.pixels, x)
        entry = keras.Model(image, x, name="entry")
        reading = read_by(head, list(stages), _ends(cuts, list(stages)), network)
        features = reading.features(_read(network, reading, x))
        ordered = objective.is_ordered
        top = build_head(head, features.shape[-1], num_classes, config.seed, is_ordered=ordered)
        model = keras.Model(image, top(features), name="logits")
    classifier = Classifier(network, stages, top, model, entry, reading, folded, cuts, objective)
    classifier.freeze()  # BatchNorm is folded only while it is frozen
    return classifier


def _cuts(
    network: keras.Model, stages: dict[str, list[keras.layers.Layer]]
) -> dict[str, str | None]:
    """Returns `Classifier.cuts` of a network that was just built."""
    takers = tensor_takers(network)
    first, *later = stages
    cuts: dict[str, str | None] = {first: None}
    before: list[keras.layers.Layer] = list(stages[first])
    for stage in later:
        names = {layer.name for layer in before}
        crossing = [
            layer.name
            for layer in before
            if any(taker.name not in names for taker in layers_behind(takers, layer))
        ]
        if len(crossing) == 1:
            cuts[stage] = crossing[0]
        before += stages[stage]
    return cuts


def _ends(cuts: Mapping[str, str | None], stages: list[str]) -> dict[str, str]:
    """Returns the layer whose output is that of a stage, for each that ends in a single tensor."""
    pairs = itertools.pairwise(stages)
    return {stage: layer for stage, later in pairs if (layer := cuts.get(later)) is not None}


def _read(network: keras.Model, reading: Reading, x: Any) -> list[Any]:
    """Returns the feature maps that a head reads. The network is called once."""
    if not reading.ends:
        return [network(x)]
    outputs = {name: network.get_layer(name).output for name in reading.ends.values()}
    whole = keras.Model(network.input, reading.outputs(outputs, network.output), name=network.name)
    return list(whole(x))


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Gives a model of the same form the weights of another; the two may be one."""
    if target is not source:
        target.set_weights(source.get_weights())
