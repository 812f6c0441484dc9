"""What a head reads of a backbone: the pooled output of its last stage, or of several.

With several stages the head sees what the last one has forgotten (Evci et al. 2022, Head2Toe,
arXiv:2201.03529). The pooled output of each stage is normalized before they are concatenated:
early stages would otherwise be trained more or less than late ones, only because their
activations are of another scale. Where a solved head scales each feature anyway, normalization
makes no difference (measured on magnetic tiles and digits).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from tfxfer.config.decided import DecidedHead
from tfxfer.errors import UsageError
from tfxfer.models.backbones.backbone import head_stages
from tfxfer.models.heads import STAGE_FEATURES, pool_features

# Added to the variance of the pooled output: far below that of any stage that is not constant.
_EPSILON = 1e-6


@dataclass(frozen=True)
class Reading:
    """What a head reads.

    Attributes:
        pooling: How feature maps become features.
        last: Name of the last stage.
        ends: For each earlier stage that is read, from the image on, the layer whose output is that
            of the stage. Empty if only the last stage is read.
    """

    pooling: str
    last: str
    ends: Mapping[str, str]

    @property
    def name(self) -> str:
        """The pooling and, if there are several, the stages; decides what is cached as one."""
        if not self.ends:
            return self.pooling
        return f"{self.pooling} of {', '.join([*self.ends, self.last])}"

    def outputs(self, outputs: Mapping[str, Any], last: Any) -> list[Any]:
        """Returns the tensors that are read.

        Args:
            outputs: Output of each layer by its name.
            last: Output of the network.
        """
        return [*(outputs[layer] for layer in self.ends.values()), last]

    def features(self, maps: Sequence[Any]) -> Any:
        """Returns the float32 features of the maps of all stages, (batch, num_features).

        Args:
            maps: The feature maps, in the order of `outputs`.
        """
        *earlier, last = maps
        return self.joined(
            [self.pooled(stage, one) for stage, one in zip(self.ends, earlier, strict=True)], last
        )

    def joined(self, earlier: Sequence[Any], last: Any) -> Any:
        """Returns the features of all stages.

        Args:
            earlier: What `pooled` returned of the earlier stages, in order.
            last: Feature maps of the last stage.
        """
        if not self.ends:
            return pool_features(self.pooling, last)
        parts = [*earlier, self.pooled(self.last, last)]
        return keras.layers.Concatenate(name=STAGE_FEATURES, dtype="float32")(parts)

    def pooled(self, stage: str, maps: Any) -> Any:
        """Returns the pooled output of a stage, of mean 0 and variance 1 in each image."""
        # The pools of the last stage keep their names: Grad-CAM explains by its maps.
        pooled = pool_features(self.pooling, maps, "" if stage == self.last else f"_of_{stage}")
        normalize = keras.layers.LayerNormalization(
            center=False,
            scale=False,
            epsilon=_EPSILON,
            name=f"normalized_{stage}",
            dtype="float32",
        )
        return normalize(pooled)


def read_by(
    head: DecidedHead, stages: Sequence[str], ends: Mapping[str, str], network: keras.Model
) -> Reading:
    """Returns what a head reads.

    Args:
        head: Its settings.
        stages: Names of the network's stages.
        ends: For each stage but the last that ends in a single tensor, the layer it is of.
        network: The backbone.

    Raises:
        UsageError: A stage that was named does not exist, or does not end in feature maps.
    """
    *earlier, last = head_stages(stages, head.stages)
    maps = [
        stage
        for stage in earlier
        if stage in ends and len(network.get_layer(ends[stage]).output.shape) == 4
    ]
    missing = [stage for stage in earlier if stage not in maps and _is_named(stage, head)]
    if missing or (earlier and not maps):
        raise UsageError(
            f"Setting 'head.stages' (--head-stages) is '{head.stages}', but stage "
            f"'{(missing or earlier)[0]}' of this backbone does not end in feature maps that a "
            "head could read. Leave it out."
        )
    return Reading(head.pooling, last, {stage: ends[stage] for stage in maps})


def _is_named(stage: str, head: DecidedHead) -> bool:
    return stage in [name.strip() for name in str(head.stages).split(",")]
