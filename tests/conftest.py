"""Fixtures: small image data and a small backbone."""

import io
import os
import pickle

import numpy as np
import pytest
import tensorflow as tf
from filelock import FileLock
from PIL import Image
from small_network import SMALL

from tfxfer.config.schema import FitConfig

SMALL_BACKBONE = SMALL.name

COLORS = {"blue": (30, 30, 200), "green": (30, 200, 30), "red": (200, 30, 30)}


def scene(seed, size=(80, 60)):
    """Returns an image of soft patches, like a photograph; the size is (width, height)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def file_of(image, kind, **options):
    """Returns the content of an image file written by Pillow."""
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def scene_file(seed, size=(80, 60), kind="JPEG", **options):
    """Returns the file of such an image."""
    return file_of(scene(seed, size), kind, **options)


def write_cats_and_dogs(folder):
    """Writes valid scenes: 4 of each class in train, 2 in validation, 2 in test."""
    seed = 0
    for split, count in {"train": 4, "val": 2, "test": 2}.items():
        for name in ("cat", "dog"):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                seed += 1
                (folder / split / name / f"{number}.jpg").write_bytes(scene_file(seed))
    return folder


def tf_example(content, label, name):
    """Returns an image with its class number and name as a serialized TFRecord example."""
    values = {
        "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[content])),
        "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        "image/class/text": tf.train.Feature(bytes_list=tf.train.BytesList(value=[name.encode()])),
    }
    return tf.train.Example(features=tf.train.Features(feature=values))


def write_pictures(folder, count, *, size=(40, 48), seed=0):
    """Writes noisy JPEG images, one folder per color, and returns their folder."""
    generator = np.random.default_rng(seed)
    for name, color in COLORS.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            noise = generator.integers(-30, 30, (*size, 3))
            pixels = np.clip(np.array(color) + noise, 0, 255).astype("uint8")
            encoded = tf.io.encode_jpeg(pixels, quality=95).numpy()
            (folder / name / f"{number}.jpg").write_bytes(encoded)
    return folder


def small_config(data, weights, directory, **settings):
    """Returns the settings of a fit that takes seconds, with its results under a directory."""
    return FitConfig(
        data=str(data),
        backbone=SMALL_BACKBONE,
        weights=str(weights),
        image_size=32,
        batch_size=8,
        effort="quick",
        runs_dir=str(directory / "runs"),
        export_dir=str(directory / "saved_models"),
    ).with_settings(settings)


def trained_alone(config, say=lambda _: None, **settings):
    """Runs a fit without its export and report, which take longer."""
    from tfxfer.planning.plan import make_plan
    from tfxfer.planning.resuming import asked_settings
    from tfxfer.system.signals import Interruptions
    from tfxfer.training.transfer import train

    plan = make_plan(asked_settings(FitConfig, config, settings))
    with Interruptions() as interruptions:
        return train(plan, interruptions, say)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Returns what a function makes in a folder; of several processes one makes it for all.

    Tests read it alone: what they change, they copy.
    """
    apart = "PYTEST_XDIST_WORKER" not in os.environ
    base = tmp_path_factory.getbasetemp()
    root = base if apart else base.parent

    def made(name, make):
        folder, done = root / f"{name}0", root / f"{name}.pickle"
        with FileLock(root / f"{name}.lock"):
            if not done.exists():
                folder.mkdir()
                done.write_bytes(pickle.dumps(make(folder)))
            return pickle.loads(done.read_bytes())

    return made


@pytest.fixture(scope="session", autouse=True)
def cache_directory(tmp_path_factory):
    """Gives the tests a cache of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFXFER_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def pictures(made_once):
    """A folder of images with `train` (7 of each color), `validation` (3) and `test` (4)."""

    def make(folder):
        for seed, (split, count) in enumerate({"train": 7, "validation": 3, "test": 4}.items()):
            write_pictures(folder / split, count, seed=seed)
        return folder

    return made_once("pictures", make)


@pytest.fixture(scope="session")
def tagged(pictures, made_once):
    """A manifest of the same images with two labels: green ones have both."""

    def make(folder):
        labels = {"blue": "cold", "green": "cold|leafy", "red": ""}
        rows = [
            f"{file},{labels[file.parent.name]},{split}"
            for split in ("train", "validation", "test")
            for file in sorted((pictures / split).rglob("*.jpg"))
        ]
        path = folder / "tagged.csv"
        path.write_text("\n".join(["path,label,split", *rows, ""]))
        return path

    return made_once("tagged", make)


@pytest.fixture(scope="session")
def tasked(pictures, made_once):
    """A manifest of the same images with two tasks: the color, and whether it is warm.

    Of some images one label is missing.
    """

    def make(folder):
        rows = []
        for split in ("train", "validation", "test"):
            for number, file in enumerate(sorted((pictures / split).rglob("*.jpg"))):
                color = file.parent.name
                warmth = "warm" if color == "red" else "cool"
                color, warmth = {1: ("", warmth), 4: (color, "")}.get(number, (color, warmth))
                rows.append(f"{file},{color},{warmth},{split}")
        path = folder / "tasked.csv"
        path.write_text("\n".join(["path,color,warmth,split", *rows, ""]))
        return path

    return made_once("tasked", make)


@pytest.fixture(scope="session")
def valued(pictures, made_once):
    """A manifest of the same images with a number each, of their color; one is missing."""

    def make(folder):
        rows, of_color = [], {"red": 120.0, "green": 150.5, "blue": 260.0}
        for split in ("train", "validation", "test"):
            for number, file in enumerate(sorted((pictures / split).rglob("*.jpg"))):
                value = "" if number == 1 else of_color[file.parent.name] + number
                rows.append(f"{file},{value},{split}")
        path = folder / "valued.csv"
        path.write_text("\n".join(["path,price,split", *rows, ""]))
        return path

    return made_once("valued", make)


def write_weights(name, image_size, path):
    """Writes weights of a backbone whose features tell the images apart, and returns the path.

    They are random, and BatchNorm has the statistics of noise: without, the activations of a random
    network fade to nothing.
    """
    import keras

    from tfxfer.models.backbones.registry import BACKBONES
    from tfxfer.models.weights import load_backbone

    keras.utils.set_random_seed(0)
    backbone = load_backbone(BACKBONES[name], image_size, "none")
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(32, image_size, image_size, 3))
    colors = generator.normal(size=(32, 1, 1, 3))
    center, spread = {
        "symmetric": (0, 0.5),
        "torch": (0, 1),
        "lite": (0, 0.5),
        "caffe": (0, 64),
        "inside": (128, 64),
    }[BACKBONES[name].pixels]
    backbone((center + spread * (noise + colors)).astype("float32"), training=True)
    backbone.save_weights(path)
    return path


@pytest.fixture(scope="session")
def weights_file(made_once):
    """Weights of the small backbone."""
    return made_once(
        "weights", lambda folder: write_weights(SMALL_BACKBONE, 32, folder / "small.weights.h5")
    )


@pytest.fixture(scope="session")
def finished(pictures, weights_file, made_once):
    """A finished run of both phases on the images, with all its files, and what it said."""
    from tfxfer.api.fit import fit

    def make(directory):
        settings = {"run": "colors", "head": {"epochs": 3}, "finetune": {"epochs": 2}}
        config = small_config(pictures, weights_file, directory, **settings)
        lines = []
        return fit(config, say=lines.append), lines

    return made_once("finished", make)


@pytest.fixture(scope="session")
def finished_tags(tagged, weights_file, made_once):
    """A finished run of both phases on images with several labels, and what it said."""
    from tfxfer.api.fit import fit

    def make(directory):
        settings = {"run": "tags", "head": {"epochs": 3}, "finetune": {"epochs": 1}}
        config = small_config(tagged, weights_file, directory, **settings)
        lines = []
        return fit(config, say=lines.append), lines

    return made_once("finished_tags", make)


@pytest.fixture(scope="session")
def finished_order(pictures, weights_file, made_once):
    """A finished run of both phases on images whose classes have an order, and what it said."""
    from tfxfer.api.fit import fit

    def make(directory):
        settings = {"run": "order", "head": {"epochs": 30}, "finetune": {"epochs": 1}}
        order = {"ordered": True, "class_order": "red,green,blue"}
        config = small_config(pictures, weights_file, directory, **order, **settings)
        lines = []
        return fit(config, say=lines.append), lines

    return made_once("finished_order", make)


@pytest.fixture(scope="session")
def finished_tasks(tasked, weights_file, made_once):
    """A finished run of both phases on images of two tasks, and what it said."""
    from tfxfer.api.fit import fit

    def make(directory):
        settings = {"run": "tasks", "head": {"epochs": 3}, "finetune": {"epochs": 1}}
        config = small_config(tasked, weights_file, directory, tasks="color,warmth", **settings)
        lines = []
        return fit(config, say=lines.append), lines

    return made_once("finished_tasks", make)


@pytest.fixture(scope="session")
def finished_number(valued, weights_file, made_once):
    """A finished run of both phases on images with a number each, and what it said."""
    from tfxfer.api.fit import fit

    def make(directory):
        settings = {"run": "prices", "finetune": {"epochs": 2}, "target": "price"}
        config = small_config(valued, weights_file, directory, **settings)
        lines = []
        return fit(config, say=lines.append), lines

    return made_once("finished_number", make)


@pytest.fixture(scope="session")
def signatures(finished):
    """The signatures of the export of the finished run."""
    result, _ = finished
    return tf.saved_model.load(str(result.export)).signatures


@pytest.fixture(scope="session")
def trained(finished):
    """The classifier of the finished run."""
    from tfxfer.inference.loading import load

    result, _ = finished
    return load(result.run)


@pytest.fixture(scope="session")
def paths(pictures):
    """The 12 test images."""
    return sorted((pictures / "test").rglob("*.jpg"))


@pytest.fixture
def predictions():
    """Probabilities of five classes, (37, 5), and the labels of as many examples."""
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(5), size=37)
    return probabilities, generator.integers(5, size=37)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Runs each test as the verbs run, without AutoGraph; see `tfxfer.system.isolation`."""
    if pyfuncitem.path.name == "test_isolation.py":  # it tests just that
        return
    pyfuncitem.obj = tf.autograph.experimental.do_not_convert(pyfuncitem.obj)
