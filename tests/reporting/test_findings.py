"""The findings of a run agree with the predictions for each image."""

import numpy as np
from made import guesses, made_findings


def test_the_prediction_for_each_image_is_its_most_probable_class(tmp_path):
    labels = np.array([0, 1, 1])
    probabilities = np.array([[0.6, 0.4], [0.7, 0.3], [0.1, 0.9]])
    findings = made_findings(tmp_path, ["a", "b"], labels, probabilities)
    assert findings.predicted.tolist() == [0, 0, 1]
    np.testing.assert_allclose(findings.confidence, [0.6, 0.7, 0.9], rtol=1e-6)
    assert findings.describe(2) == "/photos/test/2.jpg"


def test_images_are_named_in_the_order_of_the_result(tmp_path):
    labels, probabilities = guesses(20, 3, 0.5)
    findings = made_findings(tmp_path, ["a", "b", "c"], labels, probabilities)
    for number in range(20):
        assert findings.describe(number).endswith(f"/{number}.jpg")
        assert findings.images.labels[number] == findings.result.labels[number]


def test_ids_are_relative_to_the_common_folder(tmp_path):
    labels, probabilities = guesses(4, 2, 0.5)
    names = ["/photos/a/1.jpg", "/photos/a/2.jpg", "/photos/b/1.jpg", "digits test #3"]
    findings = made_findings(
        tmp_path, ["a", "b"], labels, probabilities, describe=lambda number: names[number]
    )
    assert findings.short_ids(np.array([0, 1])) == ["1.jpg", "2.jpg"]
    assert findings.short_ids(np.array([2, 0])) == ["b/1.jpg", "a/1.jpg"]
    assert findings.short_ids(np.array([0])) == ["/photos/a/1.jpg"]
    assert findings.short_ids(np.array([0, 3])) == ["/photos/a/1.jpg", "digits test #3"]


def test_each_cell_shows_its_mistakes_with_the_most_confident_first_and_correct_ones_with_the_least(
    tmp_path,
):
    labels = np.array([0, 0, 0, 0, 1])
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]])
    findings = made_findings(tmp_path, ["a", "b"], labels, probabilities)
    classes = np.array([0, 1])
    assert findings.images_of_cells(classes, 9, 9) == {(0, 0): [0, 1], (0, 1): [2, 3], (1, 1): [4]}
    assert findings.images_of_cells(classes, 1, 9) == {(0, 0): [0], (0, 1): [2], (1, 1): [4]}
    assert findings.images_of_cells(classes, 9, 2) == {(0, 0): [0], (0, 1): [2]}
    assert findings.images_of_cells(np.array([1]), 9, 9) == {(0, 0): [4]}
