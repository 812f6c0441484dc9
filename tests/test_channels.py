"""From training to every export, images have the channels of the setting."""

import io
import json
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import small_config, trained_alone
from dying import Death, dying
from PIL import Image

from tfxfer.api.check import check
from tfxfer.api.convert import convert
from tfxfer.api.demo import demo, what_is_shown
from tfxfer.api.evaluate import evaluate
from tfxfer.api.fit import describe_plan, fit
from tfxfer.api.predict import predict
from tfxfer.api.pretrain import pretrain
from tfxfer.api.rank import rank
from tfxfer.api.report import report
from tfxfer.config.frame import Frame
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig, PretrainConfig
from tfxfer.data.image.formats.arrays.numpy_files import encoded as npy
from tfxfer.errors import DataError, UsageError
from tfxfer.inference.loading import load

QUIET = {"say": lambda _: None}
COUNTS = {"train": 12, "validation": 6, "test": 6}


def patch(generator, channels, is_wet):
    """Returns smooth noise, in whose last channel alone a bright spot is the class."""
    coarse = generator.integers(60, 180, (5, 5, channels), dtype=np.uint8)
    planes = [Image.fromarray(coarse[:, :, channel]) for channel in range(channels)]
    pixels = np.stack([np.asarray(one.resize((32, 32), Image.BICUBIC)) for one in planes], axis=2)
    if is_wet:
        pixels[10:22, 10:22, -1] = np.minimum(pixels[10:22, 10:22, -1].astype(int) + 110, 255)
    return pixels


def written(folder, channels, save):
    """Writes such images of two classes and three splits, by `save(path, pixels)`."""
    generator = np.random.default_rng(0)
    for split, count in COUNTS.items():
        for is_wet, name in enumerate(("dry", "wet")):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                save(folder / split / name / str(number), patch(generator, channels, is_wet))
    return folder


def save_array(path, pixels):
    np.save(f"{path}.npy", pixels)


def save_png(path, pixels):
    Image.fromarray(pixels.squeeze()).save(f"{path}.png")


def save_first_three(path, pixels):
    np.save(f"{path}.npy", pixels[:, :, :3])


@pytest.fixture(scope="module")
def bands(tmp_path_factory):
    """Arrays of four channels, of which the last one has the class."""
    return written(tmp_path_factory.mktemp("bands") / "bands", 4, save_array)


def fitted(data, weights, folder, **settings):
    settings = {"finetune": {"epochs": 1, "unfreeze": "block_2"}, **settings}
    return fit(small_config(data, weights, folder, run="r", **settings), **QUIET)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("channels", "save"),
    [(4, save_array), (1, save_png), (4, save_png), (6, save_array), (1, save_array)],
    ids=["4 arrays", "gray png", "png with alpha", "6 arrays", "gray arrays"],
)
def test_images_have_the_same_channels_from_training_to_every_export(
    channels, save, weights_file, tmp_path
):
    data = written(tmp_path / "data", channels, save)
    result = fitted(data, weights_file, tmp_path, channels=channels)
    paths = sorted(path for path in (data / "test").rglob("*.*"))
    run = load(result.run)
    assert run.frame == Frame(32, 32, "crop", channels)
    assert read_recipe(result.run / "config.toml", FitConfig()).channels == channels

    # By hand, with Keras alone.
    images = np.stack([_read(path, channels) for path in paths])
    model = keras.models.load_model(result.run / "model.keras")
    assert model.input_shape == (None, 32, 32, channels)
    expected = model.predict(images.astype("float32"), verbose=0)
    assert run.predict(paths) == pytest.approx(expected, abs=1e-6)
    assert run.predict(list(images)) == pytest.approx(expected, abs=1e-6)

    signatures = tf.saved_model.load(str(result.export)).signatures
    files = tf.constant([npy(image) for image in images])
    for answer in (
        signatures["serving_default"](image_bytes=files),
        signatures["pixels"](pixels=tf.constant(images)),
    ):
        assert answer["probabilities"].numpy() == pytest.approx(expected, abs=1e-5)
    assert signatures["features"](image_bytes=files)["features"].shape[0] == len(paths)

    # The file alone, without the run's settings, and the export know it, too.
    for other in (result.run / "model.keras", result.export):
        assert load(other).frame == run.frame
        assert evaluate(other, data=str(data)).probabilities == pytest.approx(expected, abs=1e-5)
        for one, row in zip(predict(other, paths), expected, strict=True):
            assert one.ranked[0][1] == pytest.approx(row.max(), abs=1e-5)
    facts = json.loads((result.export / "assets" / "tfxfer.json").read_text())
    assert facts["channels"] == channels
    assert f"uint8 (batch, height, width, {channels})" in facts["signatures"]["pixels"]["pixels"]
    card = (result.run / "README.md").read_text()
    assert f"(batch, 32, 32, {channels}), {run.frame.content} in [0, 255]" in card
    assert f"first convolution adapted to {channels} channel" in card
    assert report(result.run, output=tmp_path / "page.html").is_file()


def _read(path, channels):
    pixels = np.load(path) if path.suffix == ".npy" else np.asarray(Image.open(path))
    return pixels.reshape(32, 32, channels)


def head_on_the_bundled_network(data, folder, **settings):
    """Returns the accuracy of a head on pretrained features."""
    settings = {
        "backbone": "resnet10_small",
        "image_size": 64,
        "finetune": {"epochs": 0},
        **settings,
    }
    config = small_config(data, "tiny_imagenet", folder, run="r", **settings)
    return trained_alone(config).result().accuracy


@pytest.mark.slow
def test_what_only_the_fourth_channel_shows_is_learned(bands, tmp_path):
    without = written(tmp_path / "rgb", 4, save_first_three)
    assert head_on_the_bundled_network(bands, tmp_path / "four", channels=4) == 1
    assert head_on_the_bundled_network(without, tmp_path / "three") < 0.8


@pytest.mark.slow
def test_gray_digits_are_learned_as_well_as_in_rgb(weights_file, tmp_path):
    settings = {"train_examples": 300, "finetune": {"epochs": 0}, "channels": 1}
    gray, rgb = (
        trained_alone(
            small_config("digits", weights_file, tmp_path / name, run="r", **settings | more)
        ).result()
        for name, more in (("gray", {}), ("rgb", {"channels": 3}))
    )
    # The kernel's sum computes the same features.
    assert gray.probabilities == pytest.approx(rgb.probabilities, abs=0.01)
    assert gray.accuracy > 0.6  # of 10 digits, by a random network


@pytest.mark.slow
def test_an_interrupted_run_is_resumed_bit_for_bit(bands, weights_file, tmp_path):
    def config(folder):
        more = {"finetune": {"epochs": 2, "unfreeze": "block_2"}, "channels": 4, "run": "r"}
        return small_config(bands, weights_file, tmp_path / folder, **more)

    whole = trained_alone(config("whole"))
    with pytest.raises(Death):
        trained_alone(config("killed"), dying("finetune  epoch 2/2"))
    said = []
    again = trained_alone(config("killed"), said.append)
    assert not any("finetune  epoch 1/2" in line for line in said)
    for one, other in zip(whole.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_files_for_other_runtimes_take_the_channels(bands, weights_file, tmp_path):
    result = fitted(bands, weights_file, tmp_path, channels=4, augment={"mixup": 0.2, "crop": 0.5})
    for kind in ("litert", "onnx"):
        assert convert(result.run, kind, output=tmp_path / f"m.{_suffix(kind)}").difference < 1e-4
    quantized = convert(result.run, "litert", quantization="int8", output=tmp_path / "q.tflite")
    assert quantized.agreement > 0.8


def _suffix(kind):
    return {"litert": "tflite", "onnx": "onnx"}[kind]


@pytest.mark.slow
def test_a_ranking_and_a_check_read_the_channels(bands, weights_file, tmp_path):
    settings = {"channels": 4, "cache_dir": str(tmp_path / "cache"), "image_size": 32}
    ranking = rank("resnet10_small", data=str(bands), **settings, **QUIET)
    assert ranking.backbones[0].metric > 0.9
    found = check(str(bands), channels=4, backbone="resnet10_small", image_size=32)
    assert sum(found.num_images.values()) == 2 * sum(COUNTS.values())


@pytest.mark.slow
def test_the_demo_of_gray_images_knows_the_data_of_the_run(weights_file, tmp_path):
    data = written(tmp_path / "data", 1, save_array)
    result = fitted(data, weights_file, tmp_path, channels=1, finetune={"epochs": 0})
    shown = what_is_shown(load(result.run), print)
    shown.nearest.compute()
    path = tmp_path / "upload.png"
    save_png(path.with_suffix(""), np.load(data / "train" / "wet" / "0.npy"))
    classes, seen, near = shown.answer(str(path))
    (expected,) = predict(result.run, [path])
    assert expected.ranked[0][0] in classes
    assert "data:image/png" in seen
    assert "1.00" in near  # the image itself
    shown.keep(str(path), "wet")
    assert "wet" in (result.run / "corrections.csv").read_text()


@pytest.mark.slow
def test_other_data_are_refused_by_a_model_of_other_channels(bands, weights_file, tmp_path):
    result = fitted(bands, weights_file, tmp_path, channels=4, finetune={"epochs": 0})
    other = written(tmp_path / "other", 5, save_array)
    for model in (result.run, result.export):
        with pytest.raises(UsageError, match="takes images of 4 channels, but .* have 5 channels"):
            evaluate(model, data=str(other))
        (one,) = predict(model, [other / "test" / "dry" / "0.npy"])
        assert one.error == "it has 5 channels, not 4"
    with pytest.raises(UsageError, match=r"uint8 of shape \(height, width, 4\)"):
        load(result.run).predict(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(DataError, match="0.npy': it has 5 channels, not 4"):
        load(result.run).predict(other / "test" / "dry" / "0.npy")
    with pytest.raises(UsageError, match=r"The demo shows RGB or gray images, .* of 4 channels"):
        what_is_shown(load(result.run), print)
    with pytest.raises(UsageError, match="--space shows RGB or gray images, .* of 4 channels"):
        demo(result.export, space=tmp_path / "space", **QUIET)
    demo(result.export, docker=tmp_path / "docker", **QUIET)


def test_one_bad_file_is_named_before_training(bands, weights_file, tmp_path):
    folder = written(tmp_path / "data", 4, save_array)
    (folder / "train" / "dry" / "0.npy").write_bytes(npy(np.zeros((8, 8, 4), np.uint8))[:-1])
    np.save(folder / "test" / "wet" / "1.npy", np.full((8, 8, 4), np.inf))
    config = small_config(folder, weights_file, tmp_path, channels=4)
    with pytest.raises(DataError, match=r"Cannot read 2 images") as caught:
        trained_alone(config)
    assert "dry/0.npy: it is incomplete: 1 bytes of its array are missing" in str(caught.value)
    assert "wet/1.npy: it has infinite values; floats must be in [0, 1]" in str(caught.value)


def test_the_plan_says_how_the_first_layer_is_adapted(bands, weights_file, tmp_path):
    config = small_config(bands, weights_file, tmp_path, channels=4)
    plan = describe_plan(config)
    assert "adapted to 4 channels: its RGB kernel repeated in turn, times 3/4" in plan
    gray = describe_plan(small_config("digits", weights_file, tmp_path, channels=1))
    assert "adapted to 1 channel: its RGB kernel summed over the colors" in gray
    assert "takes PNG with alpha and .npy files, but no TIFF files" in plan
    assert "takes gray images and .npy files" in gray
    assert "adapted" not in describe_plan(small_config("digits", weights_file, tmp_path))


def test_what_changes_colors_and_pretraining_need_rgb(bands, weights_file, tmp_path):
    config = small_config(bands, weights_file, tmp_path, channels=4, augment={"policy": "trivial"})
    with pytest.raises(UsageError, match=r"'augment.policy' is 'trivial', which changes colors"):
        describe_plan(config)
    config = PretrainConfig(data=str(bands), channels=4, runs_dir=str(tmp_path / "runs"))
    with pytest.raises(UsageError, match="`tfxfer pretrain` trains on RGB images"):
        pretrain(config, **QUIET)


def test_a_tiff_of_many_channels_is_data_like_any(weights_file, tmp_path):
    tifffile = pytest.importorskip("tifffile")

    def save(path, pixels):
        options = {"photometric": "minisblack", "planarconfig": "contig"}
        tifffile.imwrite(f"{path}.tif", pixels.astype(np.uint16) * 257, **options)

    data = written(tmp_path / "data", 5, save)
    with pytest.raises(UsageError, match="have 5 channels, such as '.*0.tif'. Give --channels 5."):
        describe_plan(small_config(data, weights_file, tmp_path))
    assert head_on_the_bundled_network(data, tmp_path, channels=5) == 1


def test_without_tifffile_the_extra_is_named(weights_file, tmp_path, monkeypatch):
    tifffile = pytest.importorskip("tifffile")
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((8, 8, 5), np.uint8), photometric="minisblack", planarconfig=1)
    data = written(tmp_path / "data", 1, lambda path, _: _write(path, file.getvalue()))
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(DataError, match=r"the package 'tifffile': pip install 'tfxfer\[tiff\]'"):
        describe_plan(small_config(data, weights_file, tmp_path, channels=5))


def _write(path, content):
    path.with_suffix(".tif").write_bytes(content)
