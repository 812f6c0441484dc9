"""Networks of presets, held against KerasHub's own."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from conftest import small_config
from dying import Death, dying
from messages import parts
from preset_fits import fit_in_both_phases
from presets import EFFICIENTNET, NETWORKS, needs_kerashub, saved_preset

from tfxfer.api.fit import fit
from tfxfer.config.schema import FitConfig
from tfxfer.errors import UsageError
from tfxfer.models.backbones.registry import find_backbone
from tfxfer.models.classifier import build_classifier
from tfxfer.models.preprocessing import normalize
from tfxfer.models.presets.network import preset_network
from tfxfer.models.weights import load_backbone

pytestmark = [pytest.mark.slow, needs_kerashub]

each = pytest.mark.parametrize("name", list(NETWORKS))

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype("float32")


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """Returns the directory of a preset by name."""
    known = {}

    def folder(name):
        if name not in known:
            known[name] = saved_preset(tmp_path_factory.mktemp("presets") / name, name)
        return known[name]

    return folder


def last_output(output):
    return np.array(list(output.values())[-1] if isinstance(output, dict) else output)


@each
def test_pixels_and_features_equal_those_of_kerashub(name, preset):
    import keras_hub

    folder = str(preset(name))
    backbone = find_backbone(f"kerashub:{folder}")
    converter = keras_hub.layers.ImageConverter.from_preset(folder)
    theirs = keras_hub.models.Backbone.from_preset(folder)
    network = load_backbone(backbone, 64)
    for images in (IMAGES, np.full_like(IMAGES, 128.0)):
        pixels = np.array(converter(images))
        np.testing.assert_array_equal(np.array(normalize(backbone.pixels, images)), pixels)
        expected = last_output(theirs(pixels))
        assert expected.std() > 0
        # KerasHub computes the depthwise convolutions of MobileNet by XLA, which rounds otherwise.
        tolerance = 1e-5 * max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(np.array(network(pixels)), expected, atol=tolerance)
    assert backbone.num_parameters == theirs.count_params()
    # A number of HGNetV2 for all channels is one for each here.
    assert (network.count_params() == theirs.count_params()) is (name != "hgnet_affine")
    assert network.output_shape[-1] == backbone.num_features


@each
def test_the_network_is_cut_at_its_stages(name, preset):
    backbone = find_backbone(f"kerashub:{preset(name)}")
    settings = {"precision": "float32", "head": {"dropout": 0.0}}
    config = FitConfig(image_size=64, input_size=64).with_settings(settings)
    classifier = build_classifier(backbone, config, config.head, "preset", 3)
    layers = [layer for stage in classifier.stages.values() for layer in stage]
    assert layers == classifier.backbone.layers
    assert list(classifier.cuts) == list(backbone.stage_names)
    generator = np.random.default_rng(0)
    classifier.head.set_weights([generator.normal(size=w.shape) for w in classifier.head.weights])
    expected = np.array(classifier.model(IMAGES))
    for stage in backbone.stage_names:
        classifier.unfreeze(stage, "frozen")
        halves = classifier.halves()
        assert halves.costly is (stage != backbone.stage_names[0])
        found = np.array(halves.trained(np.array(halves.frozen(IMAGES))))
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_weights_of_another_preset_are_refused(preset):
    import shutil

    folder = preset("resnet")
    mixed = folder.parent / "mixed"
    shutil.copytree(folder, mixed)
    shutil.copy(preset("resnet_v2") / "model.weights.h5", mixed)
    with pytest.raises(Exception, match=r"do not fit backbone 'kerashub:|too small"):
        load_backbone(find_backbone(f"kerashub:{mixed}"), 64)


def test_what_kerashub_refuses_is_said_in_a_sentence():
    settings = (*NETWORKS["resnet"][1].items(), ("stackwise_num_filters", (8, 8, 8, 8)))
    with pytest.raises(UsageError, match=parts("cannot build the ResNetBackbone ... must be 64")):
        preset_network((64, 64, 3), "ResNetBackbone", settings)


def test_a_network_with_layers_of_its_own_is_refused():
    settings = (*EFFICIENTNET.items(), ("stackwise_block_types", ("fused",) * 4))
    with pytest.raises(UsageError, match=parts("layers that Keras does not have ... FusedMBConv")):
        preset_network((32, 32, 3), "EfficientNetBackbone", settings)


@pytest.mark.parametrize(
    "name", ["resnet", "resnet_v2", "efficientnet", "densenet", "vgg", "mobilenet", "hgnet"]
)
def test_a_fit_runs_both_phases_and_its_model_needs_no_kerashub(name, preset, pictures, tmp_path):
    result = fit_in_both_phases(preset(name), pictures, tmp_path, batch_norm="frozen")
    np.save(tmp_path / "images.npy", IMAGES[:, :32, :32])
    program = (
        "import sys, keras, numpy as np\n"
        "sys.modules['tfxfer'] = sys.modules['keras_hub'] = None\n"
        f"model = keras.models.load_model({str(result.model)!r})\n"
        f"images = np.load({str(tmp_path / 'images.npy')!r})\n"
        f"np.save({str(tmp_path / 'found.npy')!r}, model.predict(images, verbose=0))\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
    model = keras.models.load_model(result.model)
    expected = model.predict(IMAGES[:, :32, :32], verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, atol=1e-6)


@pytest.mark.parametrize("preset_name", ["resnet", "efficientnet"])  # the latter has dropout
def test_a_fit_that_died_resumes_bit_for_bit(preset_name, preset, pictures, tmp_path):
    models = []
    for name in ("whole", "killed"):
        config = small_config(
            pictures,
            "preset",
            tmp_path / name,
            backbone=f"kerashub:{preset(preset_name)}",
            run="one",
            head={"epochs": 3, "dropout": 0.0},
            finetune={"epochs": 2, "batch_norm": "frozen"},
        )
        if name == "killed":
            with pytest.raises(Death):
                fit(config, say=dying("finetune  epoch 1"))
            fit(resume=tmp_path / name / "runs" / "one", say=lambda _: None)
        else:
            fit(config, say=lambda _: None)
        models.append(keras.models.load_model(tmp_path / name / "runs" / "one" / "model.keras"))
    for ours, theirs in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
