import logging
import subprocess
import sys

import conftest
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxfer.config.schema import FitConfig
from tfxfer.data.image.channels import decode_and_resize
from tfxfer.errors import ExportError, RunError, UsageError
from tfxfer.exporting.litert import read_litert, write_litert
from tfxfer.exporting.onnx import read_onnx, write_onnx
from tfxfer.inference.loading import load
from tfxfer.models.backbones.registry import BACKBONES
from tfxfer.models.classifier import build_classifier

READ = {"litert": read_litert, "float16": read_litert, "int8": read_litert, "onnx": read_onnx}
WRITE = {"litert": write_litert, "onnx": write_onnx}

each_format = pytest.mark.parametrize("name", WRITE)
each_file = pytest.mark.parametrize("name", READ)


def write_all(model, calibration, folder):
    """Writes a classifier in each format and returns the files by name."""
    write_litert(model, folder / "litert.tflite")
    write_litert(model, folder / "float16.tflite", "float16")
    write_litert(model, folder / "int8.tflite", "int8", calibration)
    write_onnx(model, folder / "onnx.onnx")
    return {path.stem: path for path in folder.iterdir()}


def split(pictures, name):
    """Returns a split of the pictures, uint8, (n, 32, 32, 3)."""
    files = sorted((pictures / name).rglob("*.jpg"))
    return np.stack([decode_and_resize(file.read_bytes(), 32).numpy() for file in files])


@pytest.fixture(scope="module")
def model(finished):
    result, _ = finished
    return load(result.run).model


@pytest.fixture(scope="module")
def images(pictures):
    return split(pictures, "test")


@pytest.fixture(scope="module")
def expected(model, images):
    return model.predict(images.astype("float32"), verbose=0)


@pytest.fixture(scope="module")
def files(model, pictures, tmp_path_factory):
    return write_all(model, split(pictures, "train"), tmp_path_factory.mktemp("converted"))


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 5, 12])
@each_format
def test_float32_files_give_the_models_probabilities(files, images, expected, name, count):
    found = READ[name](files[name])(images[:count])
    assert found.dtype == np.float32
    assert found == pytest.approx(expected[:count], abs=1e-5)


@pytest.mark.slow
@each_file
def test_images_may_be_of_any_type(files, images, name):
    predict = READ[name](files[name])
    assert np.array_equal(predict(images), predict(images.astype("float64")))


@pytest.mark.slow
@each_file
def test_no_images_have_no_probabilities(files, images, name):
    assert READ[name](files[name])(images[:0]).shape == (0, 3)


@pytest.mark.slow
@each_file
def test_images_of_another_size_are_refused(files, name):
    message = r"\(32, 32, 3\).*\(2, 40, 40, 3\)"
    with pytest.raises(UsageError, match=message):
        READ[name](files[name])(np.zeros((2, 40, 40, 3), "uint8"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["litert", "float16", "int8"])
def test_a_litert_file_has_one_contract_whatever_its_weights(files, images, name):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(files[name]))
    names = {"inputs": ["image"], "outputs": ["probabilities"]}
    assert interpreter.get_signature_list() == {"serving_default": names}
    (image,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert image["shape"].tolist() == [1, 32, 32, 3]
    assert image["dtype"] == output["dtype"] == np.float32

    interpreter.resize_tensor_input(image["index"], (12, 32, 32, 3))
    interpreter.allocate_tensors()
    interpreter.set_tensor(image["index"], images.astype("float32"))
    interpreter.invoke()
    together = interpreter.get_tensor(output["index"])
    assert together == pytest.approx(read_litert(files[name])(images), abs=1e-6)


@pytest.mark.slow
def test_an_onnx_file_has_a_free_batch(files):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(files["onnx"]))
    (image,), (output,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.shape, image.type) == ("image", ["batch", 32, 32, 3], "tensor(float)")
    assert (output.name, output.shape) == ("probabilities", ["batch", 3])


@pytest.mark.slow
def test_int8_files_compute_in_integers(files):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # Without the delegate, which would add tensors of its own.
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(str(files["int8"]), experimental_op_resolver_type=plain)
    tensors = interpreter.get_tensor_details()
    assert {np.dtype(tensor["dtype"]).name for tensor in tensors} >= {"int8", "int32"}
    assert sum(tensor["dtype"] == np.float32 for tensor in tensors) == 2  # image, probabilities


def test_calibration_images_may_come_singly_or_in_batches(tmp_path):
    model = hard_to_convert()
    images = np.random.default_rng(0).integers(0, 256, (7, 12, 12, 3), "uint8")
    write_litert(model, tmp_path / "together", "int8", images)
    expected = (tmp_path / "together").read_bytes()
    write_litert(model, tmp_path / "a", "int8", iter(images))
    write_litert(model, tmp_path / "b", "int8", [images[:4], images[4:].astype("float32")])
    assert (tmp_path / "a").read_bytes() == expected
    assert (tmp_path / "b").read_bytes() == expected


@pytest.mark.slow
def test_the_files_need_neither_tensorflow_nor_keras(files, images, tmp_path):
    np.save(tmp_path / "images.npy", images.astype("float32"))
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['tensorflow', 'keras', 'tfxfer']))\n"
        "import numpy as np, onnxruntime\n"
        "from ai_edge_litert.interpreter import Interpreter\n"
        "litert, onnx, folder = sys.argv[1:]\n"
        "images = np.load(folder + '/images.npy')\n"
        "run = Interpreter(litert).get_signature_runner()\n"
        "np.save(folder + '/litert.npy', run(image=images)['probabilities'])\n"
        "(found,) = onnxruntime.InferenceSession(onnx).run(None, {'image': images})\n"
        "np.save(folder + '/onnx.npy', found)\n"
    )
    arguments = [str(files["litert"]), str(files["onnx"]), str(tmp_path)]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, cwd=tmp_path)
    for name in ("litert", "onnx"):
        found = np.load(tmp_path / f"{name}.npy")
        assert found == pytest.approx(READ[name](files[name])(images), abs=1e-6)


def hard_to_convert():
    """Returns a model of what backbones have that converters stumble over, untrained."""
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 12, 3), name="image")
    x = keras.layers.Resizing(20, 20)(image)  # ours, to upsample
    x = keras.ops.flip(x, axis=-1)  # ours, to BGR
    x = keras.layers.Normalization(mean=[120.0] * 3, variance=[3600.0] * 3)(x)  # EfficientNet
    x = keras.layers.Conv2D(6, 3, strides=2, groups=3)(x)  # ConvNeXt, RegNet
    x = keras.layers.LayerNormalization()(x)
    x = keras.ops.gelu(x, approximate=False)
    x = keras.layers.SeparableConv2D(8, 3, padding="same")(x)  # Xception, NASNet
    average, maximum = (
        keras.layers.GlobalAveragePooling2D()(x),
        keras.layers.GlobalMaxPooling2D()(x),
    )
    x = keras.layers.Concatenate()([average, maximum, keras.layers.Flatten()(x)])
    return keras.Model(image, keras.layers.Softmax()(keras.layers.Dense(4)(x)))


def test_what_converters_stumble_over_is_converted_and_nothing_printed(tmp_path, capfd):
    model = hard_to_convert()
    images = np.random.default_rng(0).integers(0, 256, (7, 12, 12, 3), "uint8")
    expected = model.predict(images.astype("float32"), verbose=0)
    assert np.ptp(expected, axis=0).min() > 0.05
    capfd.readouterr()
    files = write_all(model, images, tmp_path)
    assert capfd.readouterr() == ("", "")
    # In int8 the variance of few channels, which LayerNormalization divides by, is coarse.
    tolerance = {"litert": 1e-6, "float16": 1e-3, "int8": 0.3, "onnx": 1e-6}
    for name, path in files.items():
        assert READ[name](path)(images) == pytest.approx(expected, abs=tolerance[name]), name


def color_classifier(backbone, image_size, weights, images):
    """Returns a classifier of images by the nearest of three means; those of a color follow."""
    config = FitConfig(image_size=image_size, input_size=image_size, precision="float32")
    config = config.with_settings({"head": {"dropout": 0.0}})
    classifier = build_classifier(BACKBONES[backbone], config, config.head, weights, 3)
    features = classifier.features.predict(images.astype("float32"), verbose=0)
    means = features.reshape(3, -1, features.shape[-1]).mean(axis=1)
    center = means.mean(axis=0)
    # Squared distances, scaled: on its mean, a class is at least 2 above the others.
    offsets = means - center
    distances = np.square(means[:, np.newaxis] - means).sum(axis=-1)
    scale = 4 / distances[distances > 0].min()
    bias = -offsets @ center - np.square(offsets).sum(axis=1) / 2
    classifier.head.layers[-1].set_weights([scale * offsets.T, scale * bias])
    return classifier.with_probabilities()


LARGE = (
    "mobilenetv2",
    "resnet50",
    "vgg16",
    "efficientnetv2b0",
    "densenet121",
    "convnexttiny",
    "efficientnet_lite0",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "image_size", "tolerance"),
    [
        # With weights that were trained.
        ("resnet10_small", 32, {"float32": 1e-6, "float16": 1e-3, "int8": 0.02}),
        # Many layers of random weights magnify each difference more than trained ones do.
        *((name, 64, {"float32": 1e-4, "float16": 0.02, "int8": 0.5}) for name in LARGE),
    ],
)
def test_each_family_of_networks_is_converted(backbone, image_size, tolerance, tmp_path):
    generator = np.random.default_rng(0)
    noise = generator.integers(-30, 30, (36, image_size, image_size, 3))
    colors = np.repeat(list(conftest.COLORS.values()), 12, axis=0)[:, None, None]
    images = np.clip(colors + noise, 0, 255).astype("uint8")
    weights = BACKBONES[backbone].weights_name
    if backbone != "resnet10_small":
        weights = str(conftest.write_weights(backbone, image_size, tmp_path / "x.weights.h5"))
    model = color_classifier(backbone, image_size, weights, images)
    expected = model.predict(images.astype("float32"), verbose=0)
    assert np.mean(expected.argmax(axis=1) == np.repeat([0, 1, 2], 12)) > 0.95

    (tmp_path / "converted").mkdir()
    converted = write_all(model, images, tmp_path / "converted")
    size = {name: path.stat().st_size for name, path in converted.items()}
    assert size["onnx"] == pytest.approx(size["litert"], rel=0.05)
    assert size["float16"] < 0.6 * size["litert"]
    assert size["int8"] < 0.8 * size["float16"]
    for name, path in converted.items():
        found = READ[name](path)(images)
        assert found == pytest.approx(expected, abs=tolerance.get(name, tolerance["float32"])), name
        assert np.mean(found.argmax(axis=1) == expected.argmax(axis=1)) > 0.9, name


def test_an_unknown_quantization_is_refused(model, tmp_path):
    message = r"'float8'\. Did you mean 'float16'\? Allowed: none, float16, int8\."
    with pytest.raises(UsageError, match=message):
        write_litert(model, tmp_path / "x", "float8")


def test_int8_without_images_is_refused(model, tmp_path):
    with pytest.raises(UsageError, match="'int8' needs calibration images"):
        write_litert(model, tmp_path / "x", "int8")


def test_calibration_images_of_another_size_are_refused(model, tmp_path):
    with pytest.raises(UsageError, match=r"\(32, 32, 3\).*\(1, 40, 40, 3\)"):
        write_litert(model, tmp_path / "x", "int8", [np.zeros((40, 40, 3))])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("litert", r"to LiteRT: .*'tf\.Erfinv'.*\.$"),
        ("onnx", r"to ONNX: .*Erfinv.*\.$"),
    ],
)
def test_a_failed_conversion_is_one_line_and_leaves_all_as_it_was(tmp_path, name, reason):
    image = keras.Input((8, 8, 3), name="image")
    model = keras.Model(image, keras.ops.erfinv(keras.layers.GlobalAveragePooling2D()(image)))
    path = tmp_path / "model"
    path.write_text("before")
    with pytest.raises(ExportError, match=f"^Cannot convert the model {reason}"):
        WRITE[name](model, path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    assert not tf.config.functions_run_eagerly()
    assert logging.root.manager.disable == logging.NOTSET


@each_format
def test_a_place_that_cannot_be_written_to_is_named(tmp_path, name):
    image = keras.Input((8, 8, 3), name="image")
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))
    with pytest.raises(RunError, match=r"Cannot write '.*missing/x'"):
        WRITE[name](model, tmp_path / "missing" / "x")


@each_format
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(UsageError, match=r"no file '.*missing'"):
        READ[name](tmp_path / "missing")


@each_format
def test_a_corrupt_file_is_named(tmp_path, name):
    (tmp_path / "corrupt").write_bytes(b"no such model")
    with pytest.raises(RunError, match=r"^Cannot load the model '.*corrupt': .+\.$"):
        READ[name](tmp_path / "corrupt")


@pytest.mark.parametrize(
    ("package", "extra", "call"),
    [
        ("ai_edge_litert.interpreter", "litert", lambda model, path: read_litert(path)),
        ("onnxruntime", "onnx", lambda model, path: read_onnx(path)),
        ("onnx", "onnx", write_onnx),
        ("tf2onnx", "onnx", write_onnx),
    ],
)
def test_a_missing_package_is_named_by_its_extra(
    model, tmp_path, monkeypatch, package, extra, call
):
    monkeypatch.setitem(sys.modules, package, None)
    message = rf"'{extra}'.* pip install 'tfxfer\[{extra}\]'\.$"
    with pytest.raises(UsageError, match=message):
        call(model, tmp_path / "x")


@each_format
def test_another_backend_of_keras_is_refused(model, tmp_path, monkeypatch, name):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(UsageError, match="'jax'.*KERAS_BACKEND=tensorflow"):
        WRITE[name](model, tmp_path / "x")


@pytest.mark.slow
def test_writing_a_backbone_prints_nothing(model, images, tmp_path, capfd):
    write_all(model, images, tmp_path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_reading_prints_nothing(files, images, tmp_path):
    # LiteRT reports once in a process, so this takes another.
    np.save(tmp_path / "images.npy", images)
    code = (
        "import pathlib, sys\n"
        "import numpy as np\n"
        "from tfxfer.exporting.litert import read_litert\n"
        "from tfxfer.exporting.onnx import read_onnx\n"
        "images = np.load(sys.argv[3])\n"
        "print('read', file=sys.stderr)\n"
        "read_litert(pathlib.Path(sys.argv[1]))(images)\n"
        "read_onnx(pathlib.Path(sys.argv[2]))(images)\n"
    )
    arguments = [str(files["litert"]), str(files["onnx"]), str(tmp_path / "images.npy")]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    assert done.stdout == ""
    assert done.stderr.partition("read\n")[2] == ""
