"""What is known of a run agrees with what was said of each image."""

import numpy as np
from made import guesses, made_findings


def test_what_was_said_of_each_image_is_its_most_probable_class(tmp_path):
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
