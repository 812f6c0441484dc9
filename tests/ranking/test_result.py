"""What a ranking says, as text and as JSON."""

import dataclasses
import json

from tfxfer.ranking.candidates import Skipped
from tfxfer.ranking.judging.metric import MEAN_ABSOLUTE_ERROR, MEAN_AVERAGE_PRECISION
from tfxfer.ranking.learning_curve import LearningCurve, Prediction
from tfxfer.ranking.outlook import Outlook
from tfxfer.ranking.result import Ranked, Ranking, table
from tfxfer.ranking.stages import StageScore

BEST = Ranked(
    backbone="efficientnetv2b0",
    metric=0.95123456,
    interval=(0.93, 0.97),
    log_loss=0.2,
    logme=0.5,
    h_score=1.5,
    imagenet_top1=0.787,
    milliseconds=20.123,
    parameters=5_919_312,
    megabytes=23.7,
    image_size=224,
    group=1,
    pareto=True,
    seconds=12.34,
)
FAST = dataclasses.replace(
    BEST, backbone="mobilenet_025", metric=0.94, milliseconds=2.5, imagenet_top1=None
)
WORSE = dataclasses.replace(
    BEST, backbone="vgg16", metric=0.8, milliseconds=90.0, group=2, pareto=False
)
CURVE = LearningCurve((10, 20), (0.7, 0.8), (Prediction(40, 0.85, (0.8, 0.9)),))
RANKING = Ranking(
    data="bees",
    num_images=500,
    num_classes=2,
    num_folds=5,
    seed=3,
    is_limited=False,
    backbones=(BEST, FAST, WORSE),
    skipped=(Skipped("resnet50", "weights not available locally"),),
    outlook=Outlook(CURVE, 0.6, (0.55, 0.65)),
)


def test_the_recommendation_names_the_best_and_the_fastest_that_is_as_good():
    sentence = RANKING.recommendation
    assert sentence.index("efficientnetv2b0") < sentence.index("mobilenet_025")
    assert "0.951" in sentence
    assert "2.5 ms" in sentence
    assert "vgg16" not in sentence
    assert sentence.count(".") == sentence.rstrip(".").count(".") + 1  # one sentence
    assert RANKING.best is BEST
    assert RANKING.cheapest is FAST


def test_the_recommendation_says_if_the_best_is_alone_or_the_fastest():
    alone = dataclasses.replace(RANKING, backbones=(BEST,)).recommendation
    assert "no other backbone was ranked" in alone
    ahead = dataclasses.replace(RANKING, backbones=(BEST, WORSE)).recommendation
    assert "all others are significantly worse" in ahead
    both = dataclasses.replace(RANKING, backbones=(FAST, BEST, WORSE)).recommendation
    assert "fastest of the 2" in both


def test_the_json_has_the_backbones_in_order():
    content = json.loads(json.dumps(RANKING.as_json()))
    names = [one["backbone"] for one in content["backbones"]]
    assert names == ["efficientnetv2b0", "mobilenet_025", "vgg16"]
    first = content["backbones"][0]
    assert first["accuracy"] == 0.951235
    assert first["interval"] == [0.93, 0.97]
    assert first["milliseconds"] == 20.12
    assert {"log_loss", "logme", "h_score", "imagenet_top1", "parameters", "megabytes"} <= set(
        first
    )
    assert content["backbones"][1]["imagenet_top1"] is None
    assert content["recommendation"] == RANKING.recommendation
    assert content["skipped"][0]["backbone"] == "resnet50"
    assert content["outlook"]["with_more_images"][0]["interval"] == [0.8, 0.9]
    assert dataclasses.replace(RANKING, outlook=None).as_json()["outlook"] is None


def test_the_stages_are_in_text_and_json():
    stages = (StageScore("block_1", 16, 0.96, (0.94, 0.98), 0.1, True),)
    ranking = dataclasses.replace(RANKING, stages=stages)
    assert "block_1" in ranking.describe()
    (content,) = json.loads(json.dumps(ranking.as_json()))["stages"]
    assert content["interval"] == [0.94, 0.98]
    assert content["is_better"] is True


def test_the_table_lines_up_and_marks_the_pareto_front():
    lines = table(RANKING.backbones)
    assert len(lines) == 4
    assert max(map(len, lines)) <= 110
    assert [line.split()[1] for line in lines[1:]] == ["*", "*", "vgg16"]
    assert len({line.index(name) for line, name in zip(lines[1:], ["eff", "mob", "vgg"])}) == 1
    assert "78.7%" in lines[1]
    assert "%" not in lines[2]


def test_a_column_without_values_is_left_out():
    backbones = [dataclasses.replace(one, h_score=None) for one in RANKING.backbones]
    lines = table(backbones)
    assert "H-score" in table(RANKING.backbones)[0]
    assert "H-score" not in lines[0]
    assert lines[0].split()[-4:] == ["top-1", "ms/image", "parameters", "MB"]
    assert lines[1].endswith(table(RANKING.backbones)[1][-30:])


def test_the_text_has_what_is_missing_and_what_is_unknown():
    text = RANKING.describe()
    assert "500 images of 2 classes" in text
    assert "resnet50: weights not available locally" in text
    assert "none is published" in text
    assert text.rindex(RANKING.recommendation) < text.index("40 training images")
    known = dataclasses.replace(RANKING, backbones=(BEST, WORSE)).describe()
    assert "none is published" not in known


def test_the_outlook_has_random_weights_and_what_more_images_bring():
    text = "\n".join(RANKING.outlook.describe("best", BEST.metric))
    assert "random weights" in text
    assert "0.6000" in text
    assert "40 training images: accuracy 0.8500 expected (0.800 to 0.900)" in text
    none = "\n".join(dataclasses.replace(RANKING.outlook, curve=None).describe("best", BEST.metric))
    assert "too few images" in none


def test_other_labels_are_told_in_the_words_of_their_metric():
    best = dataclasses.replace(BEST, h_score=None)
    tags = dataclasses.replace(
        RANKING,
        metric=MEAN_AVERAGE_PRECISION,
        labels="3 labels, 1.2 per image on average",
        backbones=(best, FAST),
        outlook=None,
    )
    text = tags.describe()
    assert "500 images of 3 labels, 1.2 per image on average, 5-fold" in text
    assert "Take efficientnetv2b0: mean average precision 0.951 (95% interval 0.930" in text
    assert "one by LogME and one by ImageNet top-1" in text
    assert "group: mean average precision not significantly worse" in text
    assert "mAP" in text
    assert "accuracy" not in text
    content = json.loads(json.dumps(tags.as_json()))
    assert (content["metric"], content["lower_is_better"]) == ("mean_average_precision", False)
    assert content["backbones"][0]["mean_average_precision"] == 0.951235
    assert content["backbones"][0]["h_score"] is None


def test_an_error_is_told_in_the_unit_of_the_target():
    best = dataclasses.replace(BEST, metric=12.3456, interval=(11.0, 14.5), h_score=None)
    prices = dataclasses.replace(
        RANKING,
        metric=MEAN_ABSOLUTE_ERROR,
        labels="price 3 to 90",
        backbones=(best,),
        stages=(StageScore("block_1", 16, 13.25, (12.0, 15.0), 0.1, False),),
        outlook=None,
    )
    assert "mean absolute error 12.35 (95% interval 11 to 14.5)" in prices.recommendation
    assert "block_1              16 features: mean absolute error 13.25 (12 to 15)" in (
        prices.describe()
    )
    content = prices.as_json()
    assert content["lower_is_better"] is True
    assert content["backbones"][0]["mean_absolute_error"] == 12.3456
    assert content["backbones"][0]["loss"] == 0.2
    assert content["stages"][0]["mean_absolute_error"] == 13.25
