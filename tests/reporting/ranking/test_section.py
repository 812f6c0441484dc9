"""A ranking in HTML: its chart, its table, its sentences."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from tfxfer.reporting.ranking.page import render
from tfxfer.reporting.ranking.section import ranking_section


def row(name, accuracy, milliseconds, parameters, **others):
    return {
        "backbone": name,
        "accuracy": accuracy,
        "interval": [accuracy - 0.02, accuracy + 0.01],
        "log_loss": 0.2,
        "logme": 0.5,
        "h_score": 1.5,
        "imagenet_top1": 0.75,
        "milliseconds": milliseconds,
        "parameters": parameters,
        "megabytes": parameters * 4e-6,
        "image_size": 224,
        "group": 1,
        "pareto": True,
        "seconds": 3.0,
    } | others


RANKING = {
    "data": "bees & ants",
    "num_images": 1500,
    "num_classes": 2,
    "num_folds": 5,
    "seed": 0,
    "is_limited": False,
    "backbones": [
        row("large", 0.95, 20.0, 16_000_000),
        row("slow", 0.93, 40.0, 4_000_000, pareto=False, imagenet_top1=None),
        row("small", 0.90, 5.0, 1_000_000, group=2),
    ],
    "recommendation": "Take large.",
    "skipped": [{"backbone": "vgg16", "reason": "it has 14.7 million parameters"}],
    "outlook": None,
    "stages": [],
}

OUTLOOK = {
    "random_weights": {"accuracy": 0.6, "interval": [0.55, 0.65]},
    "learning_curve": [
        {"num_images": 300, "accuracy": 0.88},
        {"num_images": 600, "accuracy": 0.91},
        {"num_images": 1200, "accuracy": 0.95},
    ],
    "with_more_images": [
        {"num_images": 2400, "accuracy": 0.96, "interval": [0.95, 0.975]},
        {"num_images": 4800, "accuracy": 0.97, "interval": [0.95, 0.985]},
    ],
}


def dots(chart):
    """Returns the visible dots as (x, y, radius, title)."""
    svg = ElementTree.fromstring(str(chart))
    found = []
    for dot in svg.iter("circle"):
        x, y, radius = (float(dot.get(key)) for key in ("cx", "cy", "r"))
        if radius and "ideal" not in dot.get("class"):
            found.append((x, y, radius, dot[0].text))
    return found


def test_dots_are_at_accuracy_and_milliseconds_with_parameters_as_area():
    large, slow, small = dots(ranking_section(RANKING)["chart"])
    assert "large" in large[3]
    assert small[0] < large[0] < slow[0]
    assert (slow[0] - small[0]) / (large[0] - small[0]) == pytest.approx(35 / 15, abs=0.02)
    assert large[1] < slow[1] < small[1]  # y grows downward
    assert large[2] == pytest.approx(2 * slow[2]) == pytest.approx(4 * small[2])


def test_each_dot_has_its_name_and_interval():
    svg = ElementTree.fromstring(str(ranking_section(RANKING)["chart"]))
    texts = [text.text for text in svg.iter("text")]
    assert {"large", "slow", "small"} <= set(texts)
    assert sum("thin" in path.get("class") for path in svg.iter("path")) == 3


def test_the_pareto_front_is_listed_from_the_fastest():
    assert ranking_section(RANKING)["front"] == ["small", "large"]


def test_the_page_has_the_table_in_order_and_what_is_missing():
    page = render(RANKING)
    table = page[page.index("<tbody>") : page.index("</tbody>")]
    names = re.findall(r"<td>(?:<b>)?(\w+)(?:</b>)?</td>", table)
    assert names == ["large", "slow", "small"]
    assert "<b>slow</b>" not in table
    assert "1,500 images of 2 classes" in page
    assert "bees &amp; ants" in page
    assert "vgg16, it has 14.7 million parameters" in page
    assert "have the first rank twice" in page
    assert "random weights" not in page


def test_the_page_has_the_learning_curve_with_its_intervals():
    page = render(RANKING | {"outlook": OUTLOOK})
    assert "0.6000" in page
    assert "With 2,400 training images: 0.9600 (0.950 to 0.975)" in page
    points = dots(ranking_section(RANKING | {"outlook": OUTLOOK})["curve"])
    assert len(points) == 3 + 3
    only_random = {"random_weights": OUTLOOK["random_weights"]}
    assert ranking_section(RANKING | {"outlook": only_random})["curve"] is None
    assert "0.6000" in render(RANKING | {"outlook": only_random})


def test_the_page_has_the_stages():
    stage = {"stage": "block_1", "num_features": 16, "accuracy": 0.96, "interval": [0.94, 0.98]}
    page = render(RANKING | {"stages": [stage | {"log_loss": 0.1, "is_better": True}]})
    assert "block_1" in page
    assert "0.940 to 0.980" in page
    assert "block_1" not in render(RANKING)


def test_a_single_backbone_has_a_chart():
    assert (
        len(dots(ranking_section(RANKING | {"backbones": RANKING["backbones"][:1]})["chart"])) == 1
    )


def test_the_page_has_what_fine_tuning_the_best_two_said():
    sentence = "Fine-tuned once, b has the lower validation loss (a 0.2000, b 0.1000)."
    assert sentence in render(RANKING | {"fine_tuned": sentence})
    assert "Fine-tuned once" not in render(RANKING)


def test_a_ranking_by_an_error_is_told_in_its_words():
    rows = [
        {
            **{key: value for key, value in one.items() if key not in ("accuracy", "log_loss")},
            "mean_absolute_error": 12.3456,
            "interval": [11.0, 14.5],
            "loss": 0.31,
            "h_score": None,
        }
        for one in RANKING["backbones"]
    ]
    page = render(
        {
            **RANKING,
            "backbones": rows,
            "metric": "mean_absolute_error",
            "lower_is_better": True,
            "labels": "1 number per image, 3 to 90 in train",
        }
    )
    assert "Mean absolute error by milliseconds per image" in page
    assert "1,500 images of 1 number per image, 3 to 90 in train." in page
    assert "12.35" in page
    assert "11 to 14.5" in page
    assert "H-score" in render(RANKING)
    assert "H-score" not in page
    main = re.search(r"<main>.*</main>", page, flags=re.S).group()
    assert "accuracy" not in main
