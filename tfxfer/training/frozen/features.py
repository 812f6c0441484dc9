"""Features of the frozen backbone, computed once per image and cached on disk between runs."""

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from tfxfer.config.decided import DecidedFit, DecidedRun
from tfxfer.data.batches import evaluation_batches
from tfxfer.data.cache import Cache, in_blocks, places
from tfxfer.data.cache_entry import Rows
from tfxfer.data.image.dataset import Images
from tfxfer.data.image.order import Numbers
from tfxfer.models.backbones.registry import find_backbone
from tfxfer.models.classifier import Classifier
from tfxfer.models.prediction import predict_batches, predict_outputs
from tfxfer.models.presets.record import is_preset
from tfxfer.system.digests import Ids, code_digest, id_of, ids_of, key_of
from tfxfer.system.processes.team import current
from tfxfer.system.progress import Progress
from tfxfer.training.frozen.changes import Changes
from tfxfer.training.frozen.kept import KeptActivations

# The modules whose code, with all that they import, determines a feature. The versions of Keras
# and TensorFlow do too.
_CODE = (
    "data.image.augmentation.changes",
    "data.image.channels",
    # Their records name them as strings: no import shows them.
    "models.backbones.efficientnet",
    "models.backbones.small_resnet",
    "models.classifier",
    "models.prediction",
    "models.presets.network",
    "models.presets.blocks.opening",
    "models.presets.plain.cspnet",
    "models.presets.plain.efficientnet",
    "models.presets.tokens.vision_transformer",
    "models.presets.tokens.dinov3",
    "models.presets.tokens.siglip",
    "models.presets.tokens.swin",
)


@dataclass(frozen=True)
class FeatureFunction:
    """The function from images to features, with its cache key.

    Attributes:
        model: Maps images in [0, 255] to float32 features, (batch, num_features).
        facts: Everything that a feature depends on besides the image, JSON-serializable.
        kept: What computes the features in place of the model and keeps activations; None for
            nothing.
    """

    model: keras.Model
    facts: Mapping[str, Any]
    kept: KeptActivations | None = None

    @classmethod
    def of(cls, model: keras.Model, config: DecidedRun, pooling: str) -> Self:
        """Returns the function of a classifier's frozen features.

        Args:
            model: `Classifier.features` with its weights loaded.
            config: Settings, all decided.
            pooling: `Classifier.reading.name`: how feature maps are pooled, and which.
        """
        return cls(
            model,
            {
                "backbone": config.backbone,
                "weights": id_of(*(weight.tobytes() for weight in model.get_weights())).hex(),
                "image_size": config.image_size,
                "input_size": config.input_size,
                "fit_images": config.frame.fit,
                "channels": config.channels,
                "pooling": pooling,
                "precision": config.precision,
                "backend": keras.backend.backend(),
                "device": "gpu" if tf.config.get_visible_devices("GPU") else "cpu",
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
                "code": code_digest(*_CODE),
                **_of_preset(config.backbone),
            },
        )

    @classmethod
    def before_training(
        cls, classifier: Classifier, config: DecidedFit, kept: KeptActivations | None
    ) -> Self:
        """Returns the function of the features that the head phase computes and caches.

        Args:
            classifier: In float32, with its initial weights: fine-tuning changes the features.
            config: The settings of the fit.
            kept: See the attribute.
        """
        exact = dataclasses.replace(config, precision="float32")
        function = cls.of(classifier.features, exact, classifier.reading.name)
        return dataclasses.replace(function, kept=kept)

    @property
    def num_features(self) -> int:
        """Number of features per image."""
        return int(self.model.output_shape[-1])

    def num_missing(self, images: Images, cache: Cache) -> int:
        """Returns how many images have no cached features, and must pass the backbone."""
        known = cache.read("features", key_of(self.facts))
        if known is None:
            return len(images)
        return int(np.count_nonzero(places(images.digests, known[0]) < 0))

    def __call__(
        self,
        images: Images,
        name: str,
        batch_size: int,
        cache: Cache,
        changes: Changes | None = None,
        *,
        keep: bool = False,
    ) -> Rows:
        """Returns the features of images, (num_examples, num_features), in their order.

        Cached features are read; the others are computed and added to the cache. Several processes
        divide those among themselves that one of them lacks.

        Args:
            images: The images.
            name: Name of the images in the progress line.
            batch_size: Images per step; does not change the result.
            cache: Where features are cached.
            changes: Random augmentation before the backbone; None for none.
            keep: Whether the activations of images that pass the backbone are kept.
        """
        everything = Numbers(np.arange(len(images)))
        if not cache.max_bytes and current().count == 1:
            return self._compute(images, everything, name, batch_size, changes, keep)
        ids, key = _ids(images, changes), key_of(self.facts)
        nothing = ids[:0], np.zeros((0, self.num_features), np.float32)
        known_ids, known = cache.read("features", key) or nothing
        place = places(ids, known_ids)
        missing = Numbers(everything[current().gathered((place < 0)[None]).any(axis=0)])
        if not len(missing):
            # In the order of the file nothing is copied, and unused rows are not even read.
            whole = len(known) == len(ids) and np.array_equal(place, everything)
            return known if whole else known[place]
        computed = self._compute(images, missing, name, batch_size, changes, keep)
        is_new = place[missing] < 0
        added = computed if is_new.all() else computed[is_new]
        cache.write(
            "features",
            key,
            np.concatenate([known_ids, ids[missing[is_new]]]),
            itertools.chain(in_blocks(known), in_blocks(added)),
            np.float32,
            (self.num_features,),
            {"what": self._what},
        )
        if len(missing) == len(ids):
            return computed
        rows = np.empty((len(ids), self.num_features), np.float32)
        rows[place >= 0] = known[place[place >= 0]]
        rows[missing] = computed
        return rows

    @property
    def _what(self) -> str:
        """What the features are of, as `tfxfer cache` shows it."""
        facts = self.facts
        return f"{facts['backbone']}, {facts['image_size']} pixels, {facts['pooling']} pooling"

    def _compute(
        self,
        images: Images,
        wanted: Numbers,
        name: str,
        batch_size: int,
        changes: Changes | None,
        keep: bool,
    ) -> np.ndarray:
        """Computes the features of the images with these numbers; see `Team.computed`."""

        def compute(numbers: np.ndarray) -> np.ndarray:
            batches = evaluation_batches(images, batch_size, Numbers(numbers))
            if changes:
                batches = changes.applied(batches, numbers, batch_size)
            with Progress(f"features of {name}", len(numbers), batch_size) as progress:
                told = batches, len(numbers), batch_size, progress.update, len(wanted)
                if self.kept is None:
                    return predict_batches(self.model, *told)
                features, activations = predict_outputs(self.kept.model, *told)
            if keep:
                self.kept.add(images.digests[numbers], activations)
            return features

        return current().computed(wanted, compute, batch_size)


def _of_preset(name: str) -> dict[str, str]:
    """Returns what features depend on if the backbone is described by files of the user's."""
    if not is_preset(name):
        return {}
    backbone = find_backbone(name)
    return {"network": repr((backbone.builder_arguments, backbone.scaling))}


def _ids(images: Images, changes: Changes | None) -> Ids:
    """Returns the cache ids of features: digests of the images and their augmentation."""
    digests = images.digests
    if changes is None:
        return digests
    how = repr(changes.augment).encode()
    return ids_of(
        (digest.tobytes(), how, draws.tobytes())
        for digest, draws in zip(digests, changes.draws, strict=True)
    )
