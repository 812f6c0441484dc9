"""What TensorBoard shows of a finished run."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from made import SIDE, guesses, made_findings
from noise_splits import array_split
from tensorboard.backend.event_processing import event_accumulator

from tfxfer.config.frame import Frame
from tfxfer.data.image.dataset import Images
from tfxfer.errors import RunError
from tfxfer.evaluation.confusion import Confusion
from tfxfer.reporting import events


def written(findings):
    events.write(findings)
    sizes = {"images": 0, "tensors": 0, "scalars": 0}
    found = event_accumulator.EventAccumulator(str(findings.run.events / "evaluation"), sizes)
    found.Reload()
    return found


def text_of(found, tag):
    (event,) = found.Tensors(tag)
    return tf.make_ndarray(event.tensor_proto).item().decode()


def picture_of(found, tag):
    (event,) = found.Tensors(tag)
    _, _, *pictures = tf.make_ndarray(event.tensor_proto)  # the first two are the size
    return [tf.io.decode_png(picture).numpy() for picture in pictures]


def test_the_confusion_matrix_is_an_image_and_a_table(tmp_path):
    labels = np.array([0, 0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9], [0.2, 0.8]])
    findings = made_findings(tmp_path, ["a|b", "<i>\nc"], labels, probabilities)
    found = written(findings)
    assert text_of(found, "confusion_matrix/table").splitlines() == [
        "| label / predicted as | a&#124;b | &#60;i&#62; c |",
        "| --- | --- | --- |",
        "| a&#124;b | 2 | 1 |",
        "| &#60;i&#62; c | 0 | 2 |",
    ]
    (picture,) = picture_of(found, "confusion_matrix")
    half = len(picture) // 2
    assert picture[half // 2, half // 2, 0] == round(255 / 3)  # two of three
    assert picture[half // 2, -1, 0] == round(255 * 2 / 3)
    assert picture[-1, 0, 0] == 255
    assert picture[-1, -1, 0] == 0


def test_mistakes_are_shown_with_their_labels_the_most_confident_first(tmp_path):
    labels, probabilities = guesses(60, 3, 0.5)
    findings = made_findings(tmp_path, ["a", "b", "c"], labels, probabilities)
    found = written(findings)
    wrong = np.flatnonzero(findings.predicted != labels)
    first = wrong[np.argmax(findings.confidence[wrong])]
    row = text_of(found, "most_confident_mistakes/labels").splitlines()[2]
    assert row.startswith(f"| 0 | {'abc'[labels[first]]} | {'abc'[findings.predicted[first]]} |")
    assert row.endswith(f"/{first}.jpg |")
    assert len(picture_of(found, "most_confident_mistakes")) == 16


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_mistakes_of_any_number_of_channels_are_shown_as_people_can_see_them(channels, tmp_path):
    labels, probabilities = guesses(20, 2, 0.5)
    pixels = np.random.default_rng(0).integers(0, 256, (20, SIDE, SIDE, channels), np.uint8)
    pictures = np.repeat(pixels[..., :1], 3, axis=-1) if channels < 3 else pixels[..., :3]
    findings = made_findings(tmp_path, ["a", "b"], labels, probabilities)
    images = Images(array_split(pixels), Frame(SIDE, SIDE, channels=channels), memory_bytes=0)
    found = written(dataclasses.replace(findings, images=images))
    wrong = np.flatnonzero(findings.predicted != labels)
    first = wrong[np.argmax(findings.confidence[wrong])]
    shown = picture_of(found, "most_confident_mistakes")[0]
    np.testing.assert_array_equal(shown, pictures[first])


def test_of_many_classes_the_pairs_that_are_confused_most_are_listed(tmp_path):
    labels, probabilities = guesses(300, 30, 0.5)
    names = [f"class {number}" for number in range(30)]
    found = written(made_findings(tmp_path, names, labels, probabilities))
    counts = [
        int(row.split("|")[3]) for row in text_of(found, "confusion_matrix/table").splitlines()[2:]
    ]
    assert counts == sorted(counts, reverse=True)
    assert len(counts) == 50


def test_written_again_nothing_is_there_twice_and_the_curves_stay(tmp_path):
    findings = made_findings(tmp_path, ["a", "b"], *guesses(10, 2, 1.0))
    curves = findings.run.events / "validation" / "events"
    curves.parent.mkdir(parents=True)
    curves.write_text("curves")
    written(findings)
    found = written(findings)
    assert len(found.Tensors("accuracy")) == 1
    assert curves.read_text() == "curves"
    with pytest.raises(KeyError):
        found.Tensors("most_confident_mistakes")  # there are none


def test_of_very_many_classes_the_matrix_is_of_those_with_the_most_mistakes():
    labels = np.arange(2000)
    predicted = np.where(labels >= 1900, 1999, labels)
    picture = events._as_image(Confusion.from_predictions(labels, predicted, 2000))
    assert picture.shape == (512, 512, 1)
    assert (picture[-100:, -1] == 0).all()  # all of the last hundred classes
    assert (picture[:-100, :-100, 0] == 255 * (1 - np.eye(412))).all()


def test_a_place_that_cannot_be_written_to_is_named_in_one_line(tmp_path):
    findings = made_findings(tmp_path / "run", ["a", "b"], *guesses(4, 2, 0.5))
    findings.run.events.write_text("a file where the folder should be")
    with pytest.raises(RunError, match=r"^Cannot write to '.*/run/tensorboard/evaluation': .+\.$"):
        events.write(findings)
