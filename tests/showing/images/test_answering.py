"""The demo answers as `predict` does."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import scene, scene_file
from made import SIDE, guesses, made_findings

from tfxfer.api.export import export
from tfxfer.api.predict import predict
from tfxfer.data.labels.outputs import Outputs
from tfxfer.errors import DataError
from tfxfer.evaluation.grad_cam import Explainer
from tfxfer.inference.classifier import TrainedClassifier
from tfxfer.inference.loading import load
from tfxfer.inference.saved_model import limits_of
from tfxfer.showing.images.answering import Answerer, read_content
from tfxfer.showing.images.markup import image_with_heat

# There are 12 images to calibrate both on.
CAUTIOUS = {"unknown": True, "unknown_rate": 0.2}

NAMES = ("a", "b", "c", "d", "e", "f", "g")


@pytest.fixture(scope="module")
def explained(tmp_path_factory):
    """A classifier of seven classes with maps of 3 x 3."""
    folder = tmp_path_factory.mktemp("explained")
    findings = made_findings(folder, NAMES, *guesses(7, 7, 0.5))
    return TrainedClassifier(findings.model, Outputs(NAMES), folder / "model.keras", None)


@pytest.mark.parametrize("which", ["run", "export"])
def test_the_answer_is_that_of_predict(finished, paths, which):
    done, _ = finished
    answerer = Answerer(load(getattr(done, which)))
    answerer.warm_up()
    for prediction in predict(getattr(done, which), paths, top=5):
        answer = answerer.answer(prediction.path.read_bytes())
        assert [name for name, _ in answer.ranked] == [name for name, _ in prediction.ranked]
        found, expected = ([share for _, share in ranked.ranked] for ranked in (answer, prediction))
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert answer.square.shape == (32, 32, 3)


@pytest.mark.slow
@pytest.mark.parametrize("which", ["run", "export"])
def test_the_answer_has_the_class_of_each_task(finished_tasks, paths, which):
    path = getattr(finished_tasks[0], which)
    answerer = Answerer(load(path))
    for prediction in predict(path, paths):
        answer = answerer.answer(prediction.path.read_bytes())
        first = {task: ranked[0] for task, ranked in answer.tasks.items()}
        assert first == {task: pytest.approx(one) for task, one in prediction.of_tasks.items()}
        assert [len(ranked) for ranked in answer.tasks.values()] == [3, 2]
        assert answer.ranked == answer.tasks["color"]


@pytest.mark.slow
@pytest.mark.parametrize("which", ["run", "export"])
def test_the_answer_has_all_labels_that_are_predicted(finished_tags, paths, which):
    path = getattr(finished_tags[0], which)
    answerer = Answerer(load(path))
    for prediction in predict(path, paths):
        answer = answerer.answer(prediction.path.read_bytes())
        assert list(answer.chosen) == [name for name, _ in prediction.ranked]
        assert set(answer.thresholds) == set(answerer.trained.class_names)
        assert len(answer.ranked) >= min(5, len(answer.thresholds))


@pytest.mark.slow
def test_the_answer_of_ordered_classes_is_that_of_predict(finished_order, paths):
    answerer = Answerer(load(finished_order[0].run))
    for prediction in predict(finished_order[0].run, paths, top=3):
        answer = answerer.answer(prediction.path.read_bytes())
        assert answer.ranked == tuple(map(pytest.approx, prediction.ranked))


@pytest.mark.slow
def test_a_cautious_model_says_what_predict_says(finished, paths, tmp_path):
    path = export(
        finished[0].run, export_dir=tmp_path, unknown=True, unknown_rate=0.2, say=lambda _: None
    )
    answerer = Answerer(load(path))
    limits = limits_of(answerer.trained)
    assert limits.unknown_rate == 0.2
    for prediction in predict(path, paths):
        doubt = answerer.answer(prediction.path.read_bytes()).doubt
        assert doubt.in_set == prediction.doubt.in_set
        assert doubt.unknown == (doubt.score > limits.threshold)
        assert doubt.score == pytest.approx(prediction.doubt.score, abs=2e-3)


def test_of_many_classes_the_five_most_probable_are_told(explained):
    answer = Answerer(explained).answer(scene_file(1))
    (shares,) = explained.predict(np.asarray(scene(1)))
    assert len(answer.ranked) == 5
    # The file is a JPEG, so that it differs a little from the pixels.
    assert answer.ranked[0][0] == NAMES[shares.argmax()]
    values = [share for _, share in answer.ranked]
    assert values == sorted(values, reverse=True)


def test_the_heat_is_that_of_grad_cam_for_the_first_class(explained):
    answerer = Answerer(explained)
    assert answerer.can_explain
    answer = answerer.answer(scene_file(1, (SIDE, SIDE)))
    best = np.array([NAMES.index(answer.ranked[0][0])])
    expected = Explainer(explained.model).heat(answer.square[None], best)[0]
    np.testing.assert_allclose(answer.heat, expected, atol=1e-6)
    assert answer.heat.shape == (3, 3)


def test_a_model_with_coarse_maps_and_an_export_are_not_explained(finished, paths):
    done, _ = finished
    for path in (done.run, done.export):
        answerer = Answerer(load(path))
        assert not answerer.can_explain
        assert answerer.answer(paths[0].read_bytes()).heat is None


@pytest.mark.parametrize("content", [b"", b"<svg></svg>", b"PK\3\4" + bytes(60), bytes(1000)])
def test_what_is_no_image_is_refused_for_the_reason_that_predict_gives(trained, tmp_path, content):
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    (prediction,) = predict(trained.path.parent, [path])
    with pytest.raises(DataError) as raised:
        Answerer(trained).answer(content)
    assert str(raised.value) == prediction.error


def test_an_upload_that_is_gone_is_told(tmp_path):
    with pytest.raises(DataError, match="the upload is gone"):
        read_content(str(tmp_path / "gone.jpg"))


def test_a_model_of_gray_images_answers_about_them_and_refuses_colors():
    image = keras.Input((8, 8, 1))
    maps = keras.layers.Conv2D(2, 3, name="maps")(image)
    x = keras.layers.GlobalAveragePooling2D()(maps)
    model = keras.Model(image, keras.layers.Softmax()(x))
    answerer = Answerer(TrainedClassifier(model, Outputs(("a", "b")), pathlib.Path("m"), None))
    answerer.warm_up()
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 1), np.uint8)
    answer = answerer.answer(tf.io.encode_png(pixels).numpy())
    np.testing.assert_array_equal(answer.square, pixels)
    expected = np.array(model(pixels[None].astype("float32")))[0]
    assert dict(answer.ranked) == pytest.approx(
        dict(zip("ab", expected.tolist(), strict=True)), abs=1e-5
    )
    assert image_with_heat(answer).count("data:image/png") == (2 if answerer.can_explain else 1)
    with pytest.raises(DataError, match="it has colors, not 1 channel"):
        answerer.answer(scene_file(0))
