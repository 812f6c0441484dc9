"""The loss of each image, and whether losses differ by more than noise."""

import numpy as np
import pytest

from tfxfer.models.objectives import SOFTMAX
from tfxfer.models.sigmoids import SIGMOIDS
from tfxfer.ranking.judging.losses import is_above_noise, losses_of


def test_an_image_has_the_loss_of_its_class_or_of_all_its_labels():
    outputs = np.array([[0.5, 0.5], [0.25, 0.75]], np.float32)
    of_classes = losses_of(outputs, np.array([0, 1]), SOFTMAX)
    assert of_classes == pytest.approx(-np.log([0.5, 0.75]))
    of_labels = losses_of(outputs, np.array([[1.0, 0.0], [0.0, 1.0]], np.float32), SIGMOIDS)
    assert of_labels == pytest.approx(-np.log([0.25, 0.75**2]))


def test_images_that_cannot_be_separated_count_as_one():
    differences = np.array([1.0, 1.0, 1.0, 1.0, 0.9, -0.4])
    assert is_above_noise(differences, np.arange(6))
    assert not is_above_noise(differences, np.array([0, 0, 0, 0, 1, 2]))
    assert not is_above_noise(-differences, np.arange(6))
