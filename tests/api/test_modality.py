"""The seam: each call goes to the verbs of its modality."""

import dataclasses

import pytest
from made_texts import write_reviews

from tfxfer.api import (
    check,
    convert,
    demo,
    evaluate,
    export,
    fit,
    load,
    predict,
    pretrain,
    rank,
    report,
)
from tfxfer.api.curation import label_next
from tfxfer.api.modality import MODALITIES, by_backbone, by_data, by_model, check_asked
from tfxfer.config.schema import FitConfig, PretrainConfig
from tfxfer.errors import UsageError


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    return str(write_reviews(tmp_path_factory.mktemp("texts") / "reviews", 4, 2))


def test_every_verb_of_texts_has_the_name_of_one_for_images():
    import importlib

    pairs = {
        "check": check.check,
        "convert": convert.convert,
        "demo": demo.demo,
        "evaluate": evaluate.evaluate,
        "export": export.export,
        "fit": fit.fit,
        "label_next": label_next.label_next,
        "load": load.load,
        "predict": predict.predict,
        "pretrain": pretrain.pretrain,
        "rank": rank.rank,
        "report": report.report,
    }
    for modality in MODALITIES:
        for name, verb in pairs.items():
            module = importlib.import_module(f"{modality.verbs}.{name}")
            assert callable(getattr(module, verb.__name__))
    for name in ("fit", "pretrain"):
        module = importlib.import_module(f"tfxfer.text.verbs.{name}")
        assert callable(module.describe_plan)
    assert callable(importlib.import_module("tfxfer.text.verbs.predict").read_listed)


def test_data_and_backbone_must_be_of_one_modality(texts, pictures):
    with pytest.raises(UsageError, match="holds texts, but backbone 'resnet50' .*--backbone"):
        check_asked(FitConfig(data=texts))
    with pytest.raises(UsageError, match="holds texts"):
        fit.fit(data=texts)
    with pytest.raises(UsageError, match="holds texts"):
        pretrain.describe_plan(PretrainConfig(data=texts))
    with pytest.raises(UsageError, match="holds texts"):
        fit.fit(FitConfig(data=texts), backbone="mobilenetv2")
    check_asked(FitConfig(data=texts, backbone="lstm"))
    with pytest.raises(UsageError, match="has no classes of texts"):
        fit.fit(data=str(pictures), backbone="lstm")


def test_the_plan_of_texts_is_that_of_the_command(texts, tmp_path):
    config = FitConfig(data=texts, backbone="average", runs_dir=str(tmp_path / "runs"))
    config = dataclasses.replace(config, export_dir=str(tmp_path / "exports"))
    assert "texts" in fit.describe_plan(config)


def verb(*arguments, **settings):
    return "images"


def test_calls_without_anything_to_go_by_are_those_of_images():
    for decorate in (by_model, by_data):
        assert decorate(verb)() == "images"
        assert decorate(verb)("nowhere", more=1) == "images"

    def trains(config=None, *, resume=None, **settings):
        return config, settings

    assert by_backbone(trains)() == (None, {})
    assert by_backbone(trains)(data="digits") == (None, {"data": "digits"})
