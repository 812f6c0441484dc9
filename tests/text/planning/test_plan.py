import pathlib

import numpy as np
import pytest
from made_texts import small

from tfxfer.config.schema import FitConfig, PretrainConfig
from tfxfer.errors import UsageError
from tfxfer.text.models.vocabulary import Vocabulary
from tfxfer.text.planning.description import (
    describe_lengths,
    describe_text_plan,
    describe_text_pretraining,
)
from tfxfer.text.planning.plan import make_text_plan, make_text_pretrain_plan, word_counts


def plan(reviews, tmp_path, **changes):
    settings = small(
        data=str(reviews),
        runs_dir=str(tmp_path / "runs"),
        export_dir=str(tmp_path / "exports"),
        **changes,
    )
    return make_text_plan(FitConfig().with_settings(settings))


def test_the_plan_says_what_is_read_and_trained(reviews, tmp_path):
    found = plan(reviews, tmp_path, backbone="lstm")
    text = describe_text_plan(found)
    assert "reviews: 64 train, 16 validation, 40 test texts" in text
    assert "1 text without a label" in text
    assert "random weights, as text backbones" in text
    assert "head phase      skipped" in text
    assert "8 dimensions, 6 units, dropout 0.1" in text
    assert "TF-IDF with logistic regression" in text
    assert not (tmp_path / "runs").exists()
    layers = found.classifier.backbone.layers
    assert all(layer.trainable for layer in layers)


def test_words_come_from_training_texts_alone(reviews, tmp_path):
    found = plan(reviews, tmp_path, backbone="average")
    expected = Vocabulary.of(found.source.splits["train"].texts, 20_000)
    tokens = found.classifier.vectorizer.get_layer("tokens").get_vocabulary()[2:]
    assert tokens == expected.tokens


def test_two_plans_begin_with_the_same_weights(reviews, tmp_path):
    one, other = (plan(reviews, tmp_path, backbone="gru").classifier for _ in range(2))
    assert one.digest() == other.digest()
    seeded = plan(reviews, tmp_path, backbone="gru", seed=1).classifier
    assert seeded.digest() != one.digest()


def test_a_pretraining_on_words_alone_says_what_it_predicts(reviews, tmp_path):
    settings = {"data": str(reviews), "backbone": "lstm", "objective": "next-word"}
    settings |= {"runs_dir": str(tmp_path)}
    found = make_text_pretrain_plan(PretrainConfig().with_settings(settings))
    text = describe_text_pretraining(found)
    assert "labels are not used" in text
    num_words = found.classifier.backbone.get_layer("embedding").input_dim - 3
    assert f"among the {num_words} most frequent words" in text
    assert "classes" not in text


def test_a_pretraining_has_a_plan_of_its_own(reviews, tmp_path):
    settings = {"data": str(reviews), "backbone": "average", "runs_dir": str(tmp_path)}
    found = make_text_pretrain_plan(PretrainConfig().with_settings(settings))
    text = describe_text_pretraining(found)
    assert found.run.path == pathlib.Path(tmp_path, "reviews-average-pretrain")
    assert "AdamW, 16 epochs" in text
    assert "baseline" not in text


def test_lengths_are_counted_as_the_model_reads_them():
    assert word_counts(["a b", "", "a.<br />b c"]).tolist() == [2, 0, 3]
    found = describe_lengths(np.arange(1, 101), 90)
    for part in ("median 50", "90% 90", "99% 99", "longest 100", "maximum 90", "10.0%"):
        assert part in found
    assert describe_lengths(np.array([3]), 5).endswith("truncates none")


@pytest.mark.slow
def test_weights_of_another_backbone_are_refused(finished_texts, reviews, tmp_path):
    result, _ = finished_texts
    text = {"text": {}}
    with pytest.raises(UsageError, match="not those of backbone 'textcnn'"):
        plan(reviews, tmp_path, backbone="textcnn", weights=str(result.run), **text)


def test_word_vectors_are_the_first_embeddings(reviews, tmp_path):
    (tmp_path / "vectors.txt").write_text("great 1 2 3\nfilm 4 5 6\nx 0 0 0\n")
    text = {"vectors": str(tmp_path / "vectors.txt"), "max_words": 24}
    found = plan(reviews, tmp_path, backbone="average", text=text)
    assert found.config.text.dimensions == 3
    assert "vectors.txt cover 2 of" in describe_text_plan(found)
    words = found.classifier.vectorizer.get_layer("tokens").get_vocabulary()
    (table,) = found.classifier.backbone.get_layer("embedding").get_weights()
    assert table[3 + words.index("great") - 2].tolist() == [1, 2, 3]
    with pytest.raises(UsageError, match="'text.dimensions' is 4, but the word vectors"):
        plan(reviews, tmp_path, backbone="average", text={**text, "dimensions": 4})
