"""What a fit on texts starts from."""

import numpy as np
import pytest
from encoder_files import TOKENS, encoder_directory, needs_encoders, word_piece
from made_texts import review

from tfxfer.config.schema import FitConfig
from tfxfer.errors import UsageError
from tfxfer.text.models.backbones import BACKBONES, find_text_backbone
from tfxfer.text.planning.plan import make_text_plan
from tfxfer.text.planning.start import Start, asked_dimensions, find_start, word_counts


def asked(**settings):
    return FitConfig().with_settings({"data": "x", **settings})


def test_backbones_without_weights_start_from_nothing():
    lstm = BACKBONES["lstm"]
    found = find_start(asked(backbone="lstm"), lstm)
    assert found == Start()
    assert found.known(lstm) is None
    assert found.lengths(["a film", ""]).tolist() == word_counts(["a film", ""]).tolist() == [2, 0]
    assert asked_dimensions(asked(backbone="lstm")) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ({"max_words": 39}, "has positions for 38 tokens"),
        ({"vocabulary": 50}, "is 50, but the pretrained backbone 'kerashub:.*' has"),
        ({"dimensions": 8}, "'text.dimensions' is 8"),
        ({"units": 8}, "'text.units' is 8"),
    ],
)
def test_an_encoder_is_what_it_is(tmp_path, text, reason):
    name = f"kerashub:{encoder_directory(tmp_path)}"
    with pytest.raises(UsageError, match=reason):
        find_start(asked(backbone=name, text=text), find_text_backbone(name))


@needs_encoders
def test_the_length_is_decided_by_the_data_and_the_encoder(tmp_path, reviews):
    texts = [review(number, good) for good in (False, True) for number in range(40)]
    counts = [len(word_piece(text)) for text in texts]
    for name, limit in (("short", 38), ("mean", 18)):
        folder = encoder_directory(tmp_path / name, mean=name == "mean")
        settings = {"data": str(reviews), "backbone": f"kerashub:{folder}"}
        plan = make_text_plan(asked(runs_dir=str(tmp_path), **settings))
        assert set(plan.lengths) <= set(counts)
        usual = np.quantile(plan.lengths, 0.9, method="inverted_cdf")
        assert plan.config.text.max_words == min(usual, limit)
        assert plan.config.text.vocabulary == len(TOKENS) + 3
        assert plan.config.weights == "pretrained"
        assert plan.classifier.digest() == plan.classifier.digest()
    given = {"text": {"max_words": 5, "dropout": 0.0}}
    plan = make_text_plan(asked(runs_dir=str(tmp_path), **settings, **given))
    assert plan.classifier.ids(["film " * 9]).shape == (1, 7)
    assert plan.classifier.backbone.get_layer("embedding_dropout").rate == 0
