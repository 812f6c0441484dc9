"""From training to the export an image is fitted into the model's input in one way."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import file_of, small_config
from PIL import Image

from tfxfer.api.convert import convert
from tfxfer.api.evaluate import evaluate
from tfxfer.api.fit import fit
from tfxfer.api.predict import predict
from tfxfer.config.frame import Frame
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FitConfig
from tfxfer.data.image.channels import decode_and_resize
from tfxfer.inference.loading import load
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.weights import load_backbone
from tfxfer.showing.images.answering import Answerer

COLORS = {"cold": (20, 20, 220), "warm": (220, 20, 20)}


def marked(color, seed):
    """Returns an oblong image of noise that has a color at its left end alone."""
    generator = np.random.default_rng(seed)
    pixels = generator.integers(90, 160, (50, 100, 3), dtype=np.uint8)
    pixels[:, :22] = color
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def oblong(tmp_path_factory):
    """A folder of such images, whose class is the color: the middle squares are all alike."""
    folder = tmp_path_factory.mktemp("oblong")
    seed = 0
    for split, count in {"train": 12, "validation": 8, "test": 8}.items():
        for name, color in COLORS.items():
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                seed += 1
                content = file_of(marked(color, seed), "PNG")
                (folder / split / name / f"{number}.png").write_bytes(content)
    return folder


def fitted(data, weights, folder, **settings):
    """Runs a fit of the head alone, with its export."""
    settings = {"finetune": {"unfreeze": "none"}, "augment": {"flip": False}, **settings}
    return fit(small_config(data, weights, folder, run="r", **settings), say=lambda _: None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "sees_the_ends"),
    [
        ({"fit_images": "crop"}, False),
        ({"fit_images": "stretch"}, True),
        ({"fit_images": "pad"}, True),
        ({"image_size": "32x64", "fit_images": "crop"}, True),
        ({"image_size": "40x56", "fit_images": "stretch"}, True),
        ({"image_size": "64x32", "fit_images": "pad", "input_size": "64x32"}, True),
        ({"image_size": "64x32", "fit_images": "crop"}, False),
    ],
)
def test_an_image_is_fitted_alike_from_training_to_every_export(
    settings, sees_the_ends, oblong, weights_file, tmp_path
):
    result = fitted(oblong, weights_file, tmp_path, **settings)
    paths = sorted((oblong / "test").rglob("*.png"))
    files = [path.read_bytes() for path in paths]
    run = load(result.run)
    assert run.frame.fit == settings["fit_images"]
    size = settings.get("image_size", 32)
    assert run.input_size == run.frame.size == size
    assert read_recipe(result.run / "config.toml", FitConfig()).image_size == size
    assert (evaluate(result.run).accuracy == 1) == sees_the_ends

    # By hand: the one function, and Keras alone.
    images = np.stack([decode_and_resize(file, run.frame).numpy() for file in files])
    model = keras.models.load_model(result.run / "model.keras")
    expected = model.predict(images.astype("float32"), verbose=0)
    assert run.predict(paths) == pytest.approx(expected, abs=1e-6)

    signatures = tf.saved_model.load(str(result.export)).signatures
    answer = signatures["serving_default"](image_bytes=tf.constant(files))
    assert answer["probabilities"].numpy() == pytest.approx(expected, abs=1e-5)
    pixels = tf.stack([tf.io.decode_png(file) for file in files])
    answer = signatures["pixels"](pixels=pixels)
    assert answer["probabilities"].numpy() == pytest.approx(expected, abs=1e-5)

    # The file alone, without the run's settings, and the export know it, too.
    for other in (result.run / "model.keras", result.export):
        assert load(other).frame == run.frame
        assert evaluate(other, data=str(oblong)).probabilities == pytest.approx(expected, abs=1e-5)
        for one, row in zip(predict(other, paths), expected, strict=True):
            assert one.ranked[0][1] == pytest.approx(row.max(), abs=1e-5)
    answer = Answerer(run).answer(files[0])
    np.testing.assert_array_equal(answer.square, images[0])
    assert answer.ranked[0][1] == pytest.approx(expected[0].max(), abs=1e-5)
    assert convert(result.run, "litert").difference < 1e-4
    if isinstance(size, str):
        assert convert(result.run, "onnx").difference < 1e-4

    facts = json.loads((result.export / "assets" / "tfxfer.json").read_text())
    assert facts["fit_images"] == run.frame.fit
    assert facts["input_size"] == size
    height, width, _ = run.frame.shape
    assert f"(batch, {height}, {width}, 3)" in (result.run / "README.md").read_text()
    assert run.frame.words in facts["image"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        {"augment": {"shift": 0.1, "zoom": 0.1, "rotation": 10.0, "flip": True}},
        {"augment": {"crop": 0.3, "policy": "trivial"}, "head": {"augmented_views": 1}},
        {"augment": {"mixup": 0.2, "cutmix": 1.0}, "head": {"pooling": "flatten"}},
        {"input_size": "32x56", "image_size": "64x112", "finetune": {"unfreeze": "all"}},
        {"precision": "mixed_bfloat16", "cache_gigabytes": 0.0},
    ],
    ids=["warped", "cropped", "mixed", "upsampled", "uncached"],
)
def test_oblong_images_are_fine_tuned_with_every_augmentation(more, oblong, weights_file, tmp_path):
    settings = {"image_size": "32x56", "finetune": {"epochs": 1, "unfreeze": "block_2"}, **more}
    config = small_config(oblong, weights_file, tmp_path, run="r", **settings)
    result = fit(config, say=lambda _: None)
    assert load(result.run).frame == Frame(32, 56)
    assert any("finetune" in line for line in (result.run / "history.csv").read_text().split())
    again = fit(resume=result.run, say=lambda _: None)
    assert again.export == result.export


@pytest.mark.slow
def test_what_is_averaged_over_views_is_served_as_it_was_evaluated(oblong, weights_file, tmp_path):
    settings = {"image_size": "32x64", "test_time_views": "flip", "calibrate": True}
    result = fitted(oblong, weights_file, tmp_path, **settings)
    paths = sorted((oblong / "test").rglob("*.png"))
    run = load(result.run)
    images = np.stack([decode_and_resize(path.read_bytes(), run.frame).numpy() for path in paths])
    found = run.predict(paths)
    # An image and its mirror image are the same to it.
    assert run.predict_squares(images[:, :, ::-1]) == pytest.approx(found, abs=1e-5)
    labels = np.repeat([0, 1], len(paths) // 2)
    expected = -np.log(found[np.arange(len(paths)), labels]).mean()
    assert result.metrics["test"]["loss"] == pytest.approx(expected, rel=1e-3)
    assert evaluate(result.run).probabilities == pytest.approx(found, abs=1e-5)
    served = tf.saved_model.load(str(result.export)).signatures["serving_default"]
    answer = served(image_bytes=tf.constant([path.read_bytes() for path in paths]))
    assert answer["probabilities"].numpy() == pytest.approx(found, abs=1e-5)
    for kind in ("litert", "onnx"):
        assert convert(result.run, kind).difference < 1e-4
    assert "mirror image" in (result.run / "README.md").read_text()
    # A fit may start from its backbone.
    load_backbone(BACKBONES["small"], "32x64", str(result.run / "model.keras"))
