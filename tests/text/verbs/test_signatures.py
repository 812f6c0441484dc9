"""The verbs on texts take what those on images take."""

import inspect

import pytest

from tfxfer.api import demo as demo_images
from tfxfer.api import evaluate as evaluate_images
from tfxfer.api import export as export_images
from tfxfer.api import predict as predict_images
from tfxfer.api import report as report_images
from tfxfer.text.verbs import (
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

PAIRS = [
    (demo_images.demo, demo.demo),
    (demo_images.answer_on, demo.answer_on),
    (evaluate_images.evaluate, evaluate.evaluate),
    (predict_images.predict, predict.predict),
    (predict_images.read_listed, predict.read_listed),
    (report_images.report, report.report),
]


@pytest.mark.parametrize(("images", "texts"), PAIRS)
def test_both_have_the_same_parameters(images, texts):
    ours, theirs = (inspect.signature(verb).parameters for verb in (images, texts))
    assert list(ours) == list(theirs)
    for name, parameter in ours.items():
        if not callable(parameter.default):
            assert parameter.default == theirs[name].default


def test_others_take_their_settings_by_name():
    modules = {check: "check", convert: "convert", export: "export", fit: "fit"}
    for module, name in {**modules, pretrain: "pretrain", rank: "rank"}.items():
        verb = getattr(module, name)
        kinds = {one.kind for one in inspect.signature(verb).parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD in kinds
    assert list(inspect.signature(load.load).parameters) == ["path"]
    named = set(inspect.signature(export_images.export).parameters) - {"settings"}
    assert named <= set(inspect.signature(export.export).parameters)
