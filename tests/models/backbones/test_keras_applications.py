"""The rows of Keras' own networks, held against Keras."""

from tfxfer.models.backbones.keras_applications import ROWS
from tfxfer.models.backbones.registry import BACKBONES

KERAS_ROWS = [row for row in ROWS if row.module == "keras.applications"]


def test_every_classifier_of_keras_has_a_row():
    import keras

    builders = {
        name
        for name in dir(keras.applications)
        if callable(getattr(keras.applications, name)) and name[0].isupper()
    }
    assert len(builders) >= 40
    assert {row.builder for row in KERAS_ROWS} == builders
    plain = {row.name for row in KERAS_ROWS if "_" not in row.name}
    assert plain == {name.lower() for name in builders}


def test_reduced_widths_say_their_width_in_per_cent():
    widths = {
        name: dict(row.builder_arguments)["alpha"]
        for name, row in BACKBONES.items()
        if name.startswith(("mobilenet_", "mobilenetv2_"))
    }
    assert widths == {name: int(name.rpartition("_")[2]) / 100 for name in widths}
    assert len(widths) == 8


def test_accuracies_are_those_of_the_table_of_keras():
    # https://keras.io/api/applications/
    for name, accuracy in {
        "xception": 0.79,
        "vgg16": 0.713,
        "resnet50": 0.749,
        "mobilenetv2": 0.713,
        "nasnetlarge": 0.825,
        "efficientnetb7": 0.843,
        "efficientnetv2b0": 0.787,
        "convnextxlarge": 0.867,
    }.items():
        assert BACKBONES[name].imagenet_top1 == accuracy
    unknown = {row.name for row in KERAS_ROWS if row.imagenet_top1 is None}
    assert unknown == {
        *("mobilenetv3small", "mobilenetv3large"),
        *(row.name for row in KERAS_ROWS if "_" in row.name),  # reduced widths
    }
