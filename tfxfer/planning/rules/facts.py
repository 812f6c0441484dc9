"""What the rules decide by: the size of the data and of the images, and the backbone."""

from dataclasses import dataclass

# Below this side an image is "small" (BiT-HyperRule, Kolesnikov et al. 2020, arXiv:1912.11370,
# section 3.3: area under 96 x 96).
SMALL_IMAGE = 96

# Below FEW_IMAGES only the backbone's last resolution is fine-tuned. BiT-HyperRule's classes of
# data size begin at MANY_IMAGES.
FEW_IMAGES = 2_000

MANY_IMAGES = 20_000


@dataclass(frozen=True)
class Facts:
    """The facts that the rules use.

    Attributes:
        num_train: Number of training images.
        num_validation: Number of validation images.
        num_classes: Number of classes.
        num_features: Channels of the backbone's last feature map, for each stage the head reads.
        side: Shorter side of a typical image in pixels, where the longer one is cropped; otherwise
            the longer one.
        mirrored: Whether a mirrored image keeps its label.
        native_size: Image size in pixels that the backbone was pretrained with.
        min_size: Smallest image size in pixels that the backbone takes.
        last_resolution: First stage at the backbone's lowest resolution.
        weights_name: Name of the backbone's own weights.
        stages: The backbone's stages, from the image to the features.
        batch_norm: Whether the backbone has BatchNorm.
    """

    num_train: int
    num_validation: int
    num_classes: int
    num_features: int
    side: int
    mirrored: bool
    native_size: int
    min_size: int
    last_resolution: str
    weights_name: str
    stages: tuple[str, ...] = ()
    batch_norm: bool = True
