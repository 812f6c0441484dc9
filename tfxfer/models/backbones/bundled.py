"""The backbone whose weights are bundled with the package."""

from tfxfer.models.backbones.backbone import Backbone, numbered

SMALL_RESNET = Backbone(
    name="resnet10_small",
    module="tfxfer.models.backbones.small_resnet",
    builder="small_resnet",
    builder_arguments=(("widths", (16, 64, 128, 256)), ("blocks", (1, 1, 1, 1))),
    pixels="symmetric",
    native_size=32,
    min_size=8,
    num_features=256,
    num_parameters=1_204_592,
    stages=numbered(r"conv#_.*", 1, 5, "conv#"),
    last_resolution="conv5",
    batch_norm=True,
    license="Apache-2.0 (the authors of tfxfer)",
    paper="He et al. 2015, arXiv:1512.03385, section 4.2",
    weights_file="resnet10_small.keras",
    weights_hash="2bf9262f9490bc481c480355cf5ff69d4e5a1fdb3464cc4e193c034a2d323abd",
    weights_name="tiny_imagenet",
)

ROWS = (SMALL_RESNET,)
