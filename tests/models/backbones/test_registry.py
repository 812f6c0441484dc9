import dataclasses
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tfxfer.errors import UsageError
from tfxfer.models.backbones.backbone import Backbone
from tfxfer.models.backbones.registry import BACKBONES, find_backbone, local_weights

KERAS_ROWS = [row for row in BACKBONES.values() if row.module == "keras.applications"]

SMALL = (
    "resnet10_small",
    "convnexttiny",
    "densenet121",
    "efficientnet_lite0",
    "efficientnetb0",
    "efficientnetv2b0",
    "mobilenet_025",
    "mobilenetv2_035",
    "mobilenetv3small",
    "resnet50",
    "vgg16",
    "xception",
)

each_row = pytest.mark.parametrize("backbone", BACKBONES.values(), ids=lambda row: row.name)
each_network = pytest.mark.parametrize(
    "backbone",
    [
        pytest.param(row, id=name, marks=() if name in SMALL else pytest.mark.slow)
        for name, row in BACKBONES.items()
    ],
)


def test_the_table_is_read_without_keras_or_tensorflow():
    code = (
        "import sys, tfxfer.models.backbones.registry\n"
        "assert not {'keras', 'tensorflow', 'numpy', 'h5py'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@each_row
def test_a_row_is_complete_and_keyed_by_its_name(backbone):
    assert BACKBONES[backbone.name] is backbone
    assert backbone.pixels in ("caffe", "symmetric", "torch", "lite", "inside")
    assert 8 <= backbone.min_size < backbone.native_size <= 600
    assert backbone.bundled == (backbone.weights_name != "imagenet")
    # From one place: bundled, downloaded or a package.
    assert backbone.bundled + bool(backbone.weights_url) + bool(backbone.weights_package) == 1
    assert re.fullmatch(r".+ 20\d\d, arXiv:\d{4}\.\d{4,5}(, section [\d.]+)?", backbone.paper)
    assert re.fullmatch(r"(Apache-2\.0|MIT|BSD-3-Clause|CC BY 4\.0) \(.+\)", backbone.license)
    assert re.fullmatch(r"([0-9a-f]{32}|[0-9a-f]{64})?", backbone.weights_hash)
    assert hash(backbone) == hash(dataclasses.replace(backbone))


@each_row
def test_stage_names_are_words_each_used_once(backbone):
    names = backbone.stage_names
    assert len(names) >= 4
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)
    assert not {"all", "none", "head"} & set(names)
    assert backbone.last_resolution in names


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("resnet50", "conv1 conv2 conv3 conv4 conv5"),
        ("vgg16", "block1 block2 block3 block4 block5"),
        ("densenet121", "conv1 conv2 conv3 conv4 conv5"),
        ("convnexttiny", "stem stage0 stage1 stage2 stage3"),
        ("efficientnetb0", "stem block1 block2 block3 block4 block5 block6 block7 top"),
        ("efficientnet_lite0", "stem block1 block2 block3 block4 block5 block6 block7 top"),
        ("efficientnetv2b0", "stem block1 block2 block3 block4 block5 block6 top"),
        ("nasnetmobile", "stem cells1 cells2 cells3"),
    ],
)
def test_stages_have_the_names_the_papers_and_keras_use(name, stages):
    assert " ".join(BACKBONES[name].stage_names) == stages


def test_mobilenetv2_can_be_unfrozen_block_by_block():
    blocks = tuple(f"block_{number}" for number in range(1, 17))
    assert BACKBONES["mobilenetv2"].stage_names == ("stem", *blocks, "top")


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("resnet50", "resnet50"),
        ("ResNet50", "resnet50"),
        ("ResNet-50", "resnet50"),
        ("EfficientNetV2-B0", "efficientnetv2b0"),
        ("MobileNet_V2", "mobilenetv2"),
        ("mobilenetv2_0.35", "mobilenetv2_035"),
        ("EfficientNet-Lite0", "efficientnet_lite0"),
        ("ConvNeXt Tiny", "convnexttiny"),
    ],
)
def test_a_backbone_is_found_however_its_name_is_written(written, found):
    assert find_backbone(written) is BACKBONES[found]


def test_no_two_names_differ_only_in_punctuation():
    assert all(find_backbone(name.upper().replace("_", "-")).name == name for name in BACKBONES)


def test_an_unknown_name_gets_the_nearest_one():
    with pytest.raises(UsageError, match=r"'resnet5'. .*'resnet50'\?.*tfxfer backbones"):
        find_backbone("resnet5")


def test_a_name_like_none_of_them_gets_no_guess():
    with pytest.raises(UsageError, match="'zzz'.*tfxfer backbones") as caught:
        find_backbone("zzz")
    assert "Did you mean" not in str(caught.value)


def normalized(pixels: str, images: np.ndarray) -> np.ndarray:
    """The formula of each pixel range, with the constants of its origin."""
    if pixels == "caffe":  # Simonyan and Zisserman 2014: the mean of the training set, as BGR
        return images[..., ::-1] - np.array([103.939, 116.779, 123.68])
    if pixels == "symmetric":
        return images / 127.5 - 1
    if pixels == "torch":
        mean, stddev = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        return (images / 255 - mean) / stddev
    return images


@pytest.mark.parametrize("backbone", KERAS_ROWS, ids=lambda row: row.name)
def test_pixels_agree_with_the_preprocessing_keras_has_for_the_family(backbone):
    import keras

    family = sys.modules[getattr(keras.applications, backbone.builder).__module__]
    images = np.random.default_rng(0).uniform(0, 255, (2, 5, 5, 3))
    expected = normalized(backbone.pixels, images)
    preprocessed = family.preprocess_input(images.copy())  # it may work in place
    np.testing.assert_allclose(preprocessed, expected, rtol=1e-5, atol=1e-4)


@each_network
def test_a_network_is_what_its_row_says(backbone):
    import keras

    from tfxfer.models.weights import load_backbone, stage_layers

    model = load_backbone(backbone, backbone.min_size, weights="none")

    assert model.input_shape == (None, backbone.min_size, backbone.min_size, 3)
    assert len(model.output_shape) == 4
    assert model.output_shape[-1] == backbone.num_features
    assert model.count_params() == backbone.num_parameters
    assert backbone.batch_norm == any(
        isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers
    )

    stages = stage_layers(model, backbone)
    assert tuple(stages) == backbone.stage_names
    assert [layer for layers in stages.values() for layer in layers] == model.layers
    assert all(any(layer.weights for layer in layers) for layers in stages.values())
    if backbone.builder.startswith("NASNet"):
        assert_stages_hold_whole_cells(stages)
    else:
        assert_stages_are_joined_by_one_tensor(model, stages)
    assert_resolution_comes_down_at(backbone.last_resolution, stages)

    if backbone not in KERAS_ROWS:
        return
    builder = getattr(keras.applications, backbone.builder)
    too_small = (backbone.min_size - 1, backbone.min_size - 1, 3)
    with pytest.raises(ValueError, match=f"at least {backbone.min_size}x{backbone.min_size}"):
        builder(include_top=False, weights=None, input_shape=too_small)


def keras_histories(value: Any) -> Iterator[str]:
    """Yields the names of the operations whose outputs occur in a serialized argument."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            yield value["config"]["keras_history"][0]
        else:
            yield from keras_histories(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from keras_histories(item)


def assert_stages_are_joined_by_one_tensor(model, stages) -> None:
    stage_of_layer = {
        layer.name: number for number, layers in enumerate(stages.values()) for layer in layers
    }
    stage_of: dict[str, int] = {}
    sources: dict[str, list[str]] = {}
    current = 0
    for operation in model.get_config()["layers"]:  # functions such as a sum are no layers
        current = stage_of_layer.get(operation["name"], current)
        stage_of[operation["name"]] = current
        sources[operation["name"]] = list(keras_histories(operation["inbound_nodes"]))
    assert sum(map(len, sources.values())) >= len(sources) - 1
    for boundary in range(len(stages) - 1):
        crossing = {
            source
            for name, inputs in sources.items()
            for source in inputs
            if stage_of[source] <= boundary < stage_of[name]
        }
        assert len(crossing) == 1, (tuple(stages)[boundary], crossing)


def assert_stages_hold_whole_cells(stages) -> None:
    """NASNet's cells read the two before them; the layers that learn are still all in place."""
    cells: dict[str, set[str]] = {
        stage: {layer.name.rpartition("_")[2] for layer in layers if layer.weights}
        for stage, layers in stages.items()
    }
    stem = cells.pop("stem")
    numbered = [sorted(map(int, found)) for found in cells.values()]
    size = len(numbered[0])
    assert stem == {"conv1", "bn1", "1", "2"}
    assert size in (4, 6)
    assert numbered[0] == list(range(size))
    assert numbered[1] == list(range(size, 2 * size + 1))
    assert numbered[2] == list(range(2 * size, 3 * size + 1))


def assert_resolution_comes_down_at(last_resolution, stages) -> None:
    heights = {name: layers[-1].output.shape[1] for name, layers in stages.items()}
    names = list(heights)
    at = names.index(last_resolution)
    lowest = heights[names[-1]]
    assert all(heights[name] == lowest for name in names[at:])
    assert heights[names[at - 2]] > lowest


@pytest.mark.parametrize(
    "backbone",
    [
        pytest.param(
            row,
            id=row.name,
            marks=() if row.name in ("vgg16", "mobilenet_025") else pytest.mark.slow,
        )
        for row in KERAS_ROWS
    ],
)
def test_the_weights_are_those_keras_would_fetch(backbone, monkeypatch):
    import keras
    from keras.src.utils import file_utils

    class FetchedError(Exception):
        pass

    def get_file(fname, origin, file_hash=None, **_):
        raise FetchedError(fname, origin, file_hash or "")

    monkeypatch.setattr(file_utils, "get_file", get_file)
    builder = getattr(keras.applications, backbone.builder)
    arguments = dict(backbone.builder_arguments)
    with pytest.raises(FetchedError) as fetched:
        builder(
            include_top=False,
            input_shape=(backbone.native_size, backbone.native_size, 3),
            **arguments,
        )
    assert fetched.value.args == (
        backbone.weights_file,
        backbone.weights_url,
        backbone.weights_hash,
    )


def test_weights_are_found_where_they_are_available(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert local_weights(BACKBONES["resnet10_small"]).is_file()
    row = BACKBONES["vgg16"]
    assert local_weights(row) is None
    path = tmp_path / "models" / row.weights_file
    path.parent.mkdir()
    path.touch()
    assert local_weights(row) == path


def test_a_row_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        BACKBONES["vgg16"].name = "vgg"  # type: ignore[misc]
    assert isinstance(BACKBONES["vgg16"], Backbone)
