"""The order of backbones, by numbers a reader can check by hand."""

import numpy as np
import pytest

from tfxfer.ranking.ordering import (
    agreement,
    combined_ranks,
    evidence_ranks,
    groups,
    order,
    pareto_front,
)

# LogME on CIFAR-10 and the accuracies after fine-tuning, as You et al. 2021 published them for
# GoogLeNet, InceptionV3, ResNet 50, 101 and 152, DenseNet 121, 169 and 201, MobileNetV2, MNASNet.
LOGME = [0.293, 0.349, 0.388, 0.463, 0.469, 0.302, 0.343, 0.369, 0.291, 0.304]
FINE_TUNED = [96.2, 97.5, 96.8, 97.7, 97.9, 97.2, 97.4, 97.4, 95.7, 96.8]


def test_the_agreement_is_that_of_the_published_table():
    assert agreement(LOGME, FINE_TUNED) == pytest.approx(0.785, abs=5e-4)


def test_the_agreement_has_the_sign_of_the_order():
    assert agreement([1, 2, 3, 4], [1, 2, 3, 4]) == pytest.approx(1)
    assert agreement([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)


def test_the_evidence_is_the_mean_of_two_ranks_ranked_again():
    ranks = evidence_ranks([-0.1, -0.2, -0.3, -0.4], [2.0, 4.0, 3.0, 1.0])
    assert ranks.tolist() == [2, 1, 3, 4]  # of sums 1 + 3, 2 + 1, 3 + 2, 4 + 4


def test_without_h_scores_logme_ranks_alone():
    assert evidence_ranks([0.1, 0.3, 0.2], [None] * 3).tolist() == [3, 1, 2]


def test_equal_evidence_shares_a_rank():
    assert evidence_ranks([0.1, 0.2], [2.0, 1.0]).tolist() == [1.5, 1.5]
    assert evidence_ranks([0.1, 0.1], [None, None]).tolist() == [1.5, 1.5]


def test_the_combined_rank_is_the_sum_of_two_ranks():
    ranks = combined_ranks([1, 2, 3], [0.71, 0.80, 0.75])
    assert ranks.tolist() == [1 + 3, 2 + 1, 3 + 2]
    scores = zip([0.3, 0.2, 0.1], [None] * 3, [0.71, 0.80, 0.75], strict=True)
    assert order(list(scores), [0.1, 0.2, 0.3]) == [1, 0, 2]


def test_without_imagenet_accuracies_the_evidence_decides():
    assert combined_ranks([2, 1], [None, None]).tolist() == [4, 2]


def test_an_unknown_imagenet_accuracy_counts_the_evidence_twice():
    # The two known ones are second and third; the better on ImageNet is the second.
    ranks = combined_ranks([1, 2, 3, 4], [None, 0.7, 0.8, None])
    assert ranks.tolist() == [2, 2 + 3, 3 + 2, 8]


def test_a_single_known_imagenet_accuracy_changes_nothing():
    for place in range(4):
        top1 = [0.7 if number == place else None for number in range(4)]
        assert combined_ranks([1, 2, 3, 4], top1).tolist() == [2, 4, 6, 8]


def test_equal_imagenet_accuracies_share_a_rank():
    ranks = combined_ranks([1, 2, 3], [0.7, 0.7, 0.8])
    assert ranks.tolist() == [1 + 2.5, 2 + 2.5, 3 + 1]


def test_equal_combined_ranks_are_ordered_by_the_log_loss_of_the_head():
    assert order([(0.2, 2.0, 0.7), (0.1, 1.0, 0.8)], [0.4, 0.3]) == [1, 0]


def test_a_group_ends_with_the_first_that_is_worse_than_its_first():
    accuracies = [0.90, 0.89, 0.85, 0.84, 0.70]

    def is_worse(one, other):
        return accuracies[one] < accuracies[other] - 0.03

    assert groups(5, is_worse) == [1, 1, 2, 2, 3]
    assert groups(0, is_worse) == []


def test_the_pareto_front_has_what_nothing_beats_in_both():
    accuracies, milliseconds = [0.9, 0.8, 0.7, 0.9], [10, 5, 6, 12]
    assert pareto_front(accuracies, milliseconds) == [True, True, False, False]


def test_equals_are_on_the_pareto_front_together():
    assert pareto_front([0.9, 0.9], [5, 5]) == [True, True]


def test_the_pareto_front_is_that_of_comparing_all_pairs():
    generator = np.random.default_rng(0)
    gains, costs = generator.integers(0, 6, (2, 40))
    expected = [
        all(
            not (
                (gains[j] > gains[i] and costs[j] <= costs[i])
                or (gains[j] == gains[i] and costs[j] < costs[i])
            )
            for j in range(40)
        )
        for i in range(40)
    ]
    assert pareto_front(gains.tolist(), costs.tolist()) == expected
