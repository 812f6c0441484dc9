"""Rankings on labels of every kind: what they are judged by, from the data to the page."""

import json

import pytest
from ranked import register

from tfxfer.api.rank import rank
from tfxfer.config.schema import FitConfig
from tfxfer.errors import UsageError
from tfxfer.ranking.decisions.automatic import with_best_backbone
from tfxfer.ranking.images import Pool
from tfxfer.system.isolation import isolated


@pytest.fixture(autouse=True)
def _weights(tmp_path, monkeypatch, weights_file):
    register(monkeypatch, tmp_path / "home", weights_file)
    monkeypatch.chdir(tmp_path)


def ranked(data, **settings):
    lines = []
    told = {"image_size": 32, "cache_dir": "cache", "say": lines.append} | settings
    return rank("small_a", "small_b", data=str(data), **told), "\n".join(lines)


@pytest.fixture
def given(request):
    """The data of a kind of labels, and the settings that go with them."""
    name, settings = {
        "multi-label": ("tagged", {}),
        "multi-task": ("tasked", {"tasks": "color,warmth"}),
        "number": ("valued", {"target": "price"}),
        "ordered": ("pictures", {"ordered": True, "class_order": "blue,green,red"}),
    }[request.param]
    return request.param, request.getfixturevalue(name), settings


@pytest.mark.slow
@pytest.mark.parametrize("given", ["multi-label", "multi-task", "number", "ordered"], indirect=True)
def test_backbones_are_ranked_by_the_metric_of_the_labels(given, tmp_path):
    kind, data, settings = given
    ranking, said = ranked(data, stages=True, output="page.html", **settings)
    key = {
        "multi-label": "mean_average_precision",
        "multi-task": "mean_accuracy",
        "number": "mean_absolute_error",
        "ordered": "accuracy",
    }[kind]
    name = key.replace("_", " ")
    assert f"{name} of a linear head, 5-fold cross-validation" in said
    assert ranking.recommendation.startswith(f"Take {ranking.best.backbone}: {name} ")
    content = json.loads(json.dumps(ranking.as_json()))
    assert (content["metric"], content["lower_is_better"]) == (key, kind == "number")
    for one in content["backbones"]:
        low, high = one["interval"]
        assert low <= one[key] <= high
        assert (one["h_score"] is None) == (kind in ("multi-label", "number"))
    best = content["backbones"][0]
    assert best[key] < 20 if kind == "number" else best[key] > 0.9  # the colors are easy
    assert [one["stage"] for one in content["stages"]][-1] == "all stages"
    assert all(key in one for one in content["stages"])
    assert name in (tmp_path / "page.html").read_text()
    assert ranking.describe().count(name) >= 3


@pytest.mark.slow
def test_fit_takes_the_backbone_with_the_best_metric(tagged):
    asked = FitConfig(data=str(tagged), backbone="auto", image_size=32, cache_dir="cache")
    said = []
    config, ranking = isolated(with_best_backbone)(asked, said.append)
    assert config.backbone == ranking.best.backbone
    assert ranking.recommendation in "\n".join(said)
    assert "mean average precision" in ranking.recommendation
    facts = [(-one.metric, one.group) for one in ranking.backbones]
    assert min(facts)[1] == 1


@pytest.mark.parametrize("given", ["multi-task", "number"], indirect=True)
def test_more_images_are_not_extrapolated(given):
    _, data, settings = given
    with pytest.raises(UsageError, match=r"--learning-curve.*one class per image"):
        ranked(data, learning_curve=True, **settings)


@pytest.mark.parametrize("given", ["multi-label", "multi-task", "number", "ordered"], indirect=True)
def test_the_pool_says_what_labels_there_are(given):
    kind, data, settings = given
    pool = Pool(FitConfig(data=str(data), image_size=32).with_settings(settings), 5)
    assert pool.kind_of_labels.startswith(
        {
            "multi-label": "2 labels, 1 per image",
            "multi-task": "5 classes of 2 tasks",
            "number": "price 134 to 266",
            "ordered": "3 classes",
        }[kind]
    )
    assert pool.labeled.num_outputs == {"multi-label": 2, "multi-task": 5, "number": 1}.get(kind, 2)
