import dataclasses

import pytest

from tfxfer.config.decided import DecidedText
from tfxfer.config.recipes import read_recipe, to_toml
from tfxfer.config.schema import FitConfig, PretrainConfig
from tfxfer.errors import UsageError
from tfxfer.text.models.backbones import BACKBONES
from tfxfer.text.planning.defaults import TextFacts, decide_text
from tfxfer.text.preflight import check_asked


def checked(tmp_path, kind=FitConfig, **settings):
    places = {"data": "reviews", "runs_dir": str(tmp_path / "runs"), "backbone": "lstm"}
    if kind is FitConfig:
        places["export_dir"] = str(tmp_path / "exports")
    return check_asked(kind().with_settings({**places, **settings}))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backbone": "lstn"}, "Unknown text backbone 'lstn'"),
        ({"image_size": 64}, r"'image_size' \(--image-size\) is for images"),
        ({"input_size": 64}, "is for images"),
        ({"fit_images": "pad"}, r"'fit_images' \(--fit-images\) is for images"),
        ({"bad_images": "skip"}, "is for images"),
        ({"labels": "multi"}, "is for images"),
        ({"augment": {"flip": True}}, r"'augment.flip' \(--augment-flip\) is for images"),
        ({"augment": {"policy": "trivial"}}, "is for images"),
        ({"augment": {"mixup": 0.2}}, "is for images"),
        ({"augment": {"cutmix": 1.0}}, "is for images"),
        ({"head": {"pooling": "max"}}, "is for image backbones"),
        ({"head": {"stages": "2"}}, "'head.stages'.* is for image backbones"),
        ({"finetune": {"batch_norm": "adapt"}}, "is for image backbones"),
        ({"folds": 5}, "is for image backbones"),
        ({"unknown": True}, "is for image backbones"),
        ({"compare_scratch": True, "weights": "x"}, "is for image backbones"),
        ({"precision": "mixed_float16"}, "trained in float32"),
        ({"xla": "on"}, "XLA .*each length"),
        ({"devices": 2}, "'devices' is 2, but text backbones are trained on one device"),
        ({"head": {"optimizer": "adam"}}, "fitted with 'lbfgs'"),
        ({"head": {"learning_rate": 0.1}}, "fitted with L-BFGS"),
        ({"head": {"epochs": 3}}, "head on pretrained features"),
        ({"finetune": {"epochs": 0}}, "must be trained"),
        ({"finetune": {"unfreeze": "none"}}, "must be trained"),
        ({"finetune": {"unfreeze": "recurent"}}, "Unknown stage 'recurent'.*Did you mean"),
        ({"backbone": "average", "text": {"units": 3}}, "has no units"),
        ({"text": {"encoding": "utf-9"}}, "Unknown encoding 'utf-9'"),
        ({"text": {"vectors": "none.vec"}}, "no file of word vectors 'none.vec'"),
        ({"weights": "imagenet"}, "There are no weights 'imagenet'"),
        ({"run": "a/b"}, "run"),
        ({"effort": "thorough"}, "trained once, without a search"),
        ({"data": ""}, "Missing setting 'data'"),
    ],
)
def test_what_makes_no_sense_for_texts_is_refused_at_once(tmp_path, settings, message):
    with pytest.raises(UsageError, match=message):
        checked(tmp_path, **settings)


def test_what_makes_sense_is_accepted(tmp_path):
    assert checked(tmp_path, text={"units": 256, "dropout": 0.5}).name == "lstm"
    assert checked(tmp_path, finetune={"unfreeze": "recurrent"}).name == "lstm"
    assert checked(tmp_path, PretrainConfig, epochs=3).name == "lstm"
    assert checked(tmp_path, effort="quick", class_weights="balanced").name == "lstm"


def test_a_pretrained_backbone_has_a_head_of_its_own(tmp_path):
    (tmp_path / "backbone.keras").write_bytes(b"")
    weights = str(tmp_path)
    assert checked(tmp_path, weights=weights, finetune={"epochs": 0}).name == "lstm"
    with pytest.raises(UsageError, match="'head.hidden_units'.*'head.epochs'"):
        checked(tmp_path, weights=weights, head={"epochs": 3, "hidden_units": [4]})


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("hidden", [(), (8,)])
@pytest.mark.parametrize("pretrained", [False, True])
def test_decided_settings_are_accepted_again(tmp_path, name, hidden, pretrained):
    (tmp_path / "backbone.keras").write_bytes(b"")
    settings = {
        "data": "reviews",
        "backbone": name,
        "runs_dir": str(tmp_path / "runs"),
        "export_dir": str(tmp_path / "exports"),
        "head": {"hidden_units": hidden},
    }
    asked = FitConfig().with_settings(settings)
    known = None
    if pretrained:
        asked = dataclasses.replace(asked, weights=str(tmp_path))
        known = DecidedText(max_words=9, vocabulary=20, dimensions=5, units=5, dropout=0.0)
    decided = decide_text(asked, TextFacts(100, 50, BACKBONES[name], known))
    (tmp_path / "config.toml").write_text(to_toml(decided))
    recipe = read_recipe(tmp_path / "config.toml", FitConfig())
    assert check_asked(recipe).name == name
    assert decide_text(recipe, TextFacts(100, 50, BACKBONES[name], known)) == decided


def test_word_vectors_of_a_pretraining_must_exist(tmp_path):
    with pytest.raises(UsageError, match="no file of word vectors"):
        checked(tmp_path, PretrainConfig, text={"vectors": "none.vec"})
