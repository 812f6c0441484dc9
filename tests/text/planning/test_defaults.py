import dataclasses

import pytest

from tfxfer.config.decided import DecidedText, DecidedTextFit
from tfxfer.config.schema import FitConfig, HeadConfig, PretrainConfig, TextConfig
from tfxfer.errors import UsageError
from tfxfer.text.models.backbones import BACKBONES
from tfxfer.text.planning.defaults import (
    TextFacts,
    decide_text,
    decide_text_pretraining,
    decided_text_fit,
)

LSTM, MINILM = BACKBONES["lstm"], BACKBONES["minilm"]
PRETRAINED = DecidedText(max_words=77, vocabulary=99, dimensions=5, units=6, dropout=0.1)


def facts(**changes):
    return dataclasses.replace(TextFacts(5_000, 900, LSTM), **changes)


@pytest.mark.parametrize(
    ("num_train", "batch_size", "times"), [(1_999, 32, 4), (2_000, 64, 1), (10**6, 64, 1)]
)
def test_few_texts_have_more_epochs_of_smaller_batches(num_train, batch_size, times):
    decided = decide_text(FitConfig(backbone="lstm"), facts(num_train=num_train))
    assert decided.batch_size == batch_size
    assert decided.finetune.epochs == times * LSTM.epochs


@pytest.mark.parametrize(("longest", "max_words"), [(900, 400), (400, 400), (7, 7), (0, 1)])
def test_no_more_words_are_read_than_there_are(longest, max_words):
    assert decide_text(FitConfig(), facts(longest=longest)).text.max_words == max_words


def test_random_weights_are_trained_in_one_phase():
    decided = decide_text(FitConfig(backbone="lstm"), facts())
    assert isinstance(decided, DecidedTextFit)
    assert (decided.weights, decided.head.epochs) == ("none", 0)
    assert decided.finetune.unfreeze == "all"
    assert decided.finetune.learning_rate == LSTM.learning_rate
    assert (decided.precision, decided.xla) == ("float32", "off")


def test_pretrained_weights_have_a_solved_head_first_and_their_own_layers():
    decided = decide_text(FitConfig(weights="runs/x"), facts(pretrained=PRETRAINED))
    assert (decided.head.epochs, decided.head.optimizer) == (100, "lbfgs")
    assert decided.finetune.learning_rate == pytest.approx(LSTM.learning_rate / 3)
    assert decided.text == PRETRAINED


@pytest.mark.parametrize(("usual", "max_words"), [(40, 40), (254, 254), (900, 254), (0, 1)])
def test_an_encoder_reads_what_is_usual_up_to_its_own_length(usual, max_words):
    decided = decide_text(FitConfig(backbone="minilm"), facts(backbone=MINILM, usual=usual))
    text = decided.text
    assert text.max_words == max_words
    assert (text.vocabulary, text.dimensions, text.units, text.dropout) == (30_522, 384, 384, 0.1)


@pytest.mark.parametrize(("num_train", "times"), [(1_999, 2), (2_000, 1)])
def test_an_encoder_has_a_solved_head_and_its_own_learning_rate(num_train, times):
    decided = decide_text(FitConfig(), facts(backbone=MINILM, num_train=num_train))
    assert (decided.weights, decided.head.epochs) == ("pretrained", 100)
    assert decided.finetune.learning_rate == MINILM.learning_rate == 5e-5
    assert decided.finetune.epochs == times * MINILM.epochs
    moved = decide_text(FitConfig(weights="runs/x"), facts(backbone=MINILM, pretrained=PRETRAINED))
    assert (moved.text, moved.weights) == (PRETRAINED, "runs/x")
    assert moved.finetune.learning_rate == 5e-5


def test_a_head_with_hidden_layers_is_trained_with_the_backbone():
    config = FitConfig(weights="runs/x", head=HeadConfig(hidden_units=(8,)))
    decided = decide_text(config, facts(pretrained=PRETRAINED))
    assert (decided.head.epochs, decided.head.optimizer) == (0, "adamw")


def test_what_the_user_gave_is_kept():
    text = TextConfig(max_words=50, units=256, dropout=0.5)
    config = FitConfig(text=text, batch_size=7, label_smoothing=0.1)
    decided = decide_text(config, facts())
    assert (decided.text.max_words, decided.text.units, decided.text.dropout) == (50, 256, 0.5)
    assert (decided.batch_size, decided.label_smoothing) == (7, 0.1)


@pytest.mark.parametrize("backbone", BACKBONES.values(), ids=list(BACKBONES))
def test_decided_settings_are_decided_again_to_the_same(backbone):
    decided = decide_text(FitConfig(backbone=backbone.name), facts(backbone=backbone))
    again = FitConfig(
        **{one.name: getattr(decided, one.name) for one in dataclasses.fields(decided)}
    )
    assert decide_text(again, facts(backbone=backbone)) == decided
    assert decided_text_fit(again) == decided
    with pytest.raises(UsageError, match="has no value"):
        decided_text_fit(FitConfig())


def test_a_pretraining_is_trained_as_a_fit_is():
    decided = decide_text_pretraining(PretrainConfig(backbone="lstm"), facts())
    fit = decide_text(FitConfig(backbone="lstm"), facts())
    for name in ("epochs", "optimizer", "learning_rate", "warmup_epochs", "clip_norm"):
        assert getattr(decided, name) == getattr(fit.finetune, name)
    assert decided.text == fit.text
