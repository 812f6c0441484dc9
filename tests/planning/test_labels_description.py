"""What the plan says of labels, objectives and class weights."""

from conftest import small_config

from tfxfer.models.objectives import SOFTMAX
from tfxfer.planning.labels_description import describe_objective
from tfxfer.planning.plan import make_plan


def test_the_plan_says_how_labels_were_read_and_what_is_trained(tagged, weights_file, tmp_path):
    config = small_config(tagged, weights_file, tmp_path, class_weights="balanced")
    plan = make_plan(config)
    text = plan.describe(plan.build_classifier("none"))
    assert "2 labels, 1 per image on average: cold, leafy" in text
    assert "labels of 'tagged.csv'" in text
    assert "binary cross-entropy" in text
    assert "best epoch: lowest validation loss" in text
    # 14 of 21 are cold, 7 leafy.
    assert "0.75 (cold) to 1.5 (leafy)" in text


def test_one_class_needs_no_words():
    assert describe_objective(SOFTMAX) == []
