import json
import re
import shlex
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from model_server import grpc_server

import tfxfer
from tfxfer.errors import ExportError, UsageError
from tfxfer.exporting.clients import grpc_snippet, how_to_serve
from tfxfer.runs.metrics_record import FitMetrics, Summary
from tfxfer.text.recognition import takes_texts
from tfxfer.text.serving.loading import load_texts
from tfxfer.text.serving.publishing import HOSTILE, export_text_model
from tfxfer.text.serving.scoring import score_texts

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loaded(finished_texts):
    result, _ = finished_texts
    return load_texts(result.run)


def test_export_file_and_run_answer_hostile_texts_the_same(finished_texts, loaded):
    result, _ = finished_texts
    texts = [*HOSTILE, b"a great film", b"dull.<br /><br />awful"]
    expected = loaded.predict(texts)
    plain = keras.models.load_model(result.model, safe_mode=True)
    signature = tf.saved_model.load(str(result.export)).signatures["serving_default"]
    answers = {
        "keras": plain.predict(tf.constant(texts), verbose=0),
        "singly": np.concatenate([plain(tf.constant([text])) for text in texts]),
        "signature": signature(text=tf.constant(texts))["probabilities"],
        "export": load_texts(result.export).predict(texts, batch_size=3),
        "versions": tfxfer.load(result.export.parent).predict(texts),
    }
    for name, found in answers.items():
        assert np.abs(np.asarray(found) - expected).max() <= 1e-5, name
    assert np.allclose(expected.sum(axis=1), 1, atol=1e-5)


def test_answers_have_labels_and_features(finished_texts, loaded):
    result, _ = finished_texts
    signatures = tf.saved_model.load(str(result.export)).signatures
    answer = signatures["serving_default"](text=tf.constant(["a great film"]))
    probabilities = answer["probabilities"].numpy()[0]
    best = int(probabilities.argmax())
    assert answer["label"].numpy()[0].decode() == loaded.class_names[best]
    assert answer["top_k_class_ids"].numpy()[0].tolist() == np.argsort(-probabilities).tolist()
    features = signatures["features"](text=tf.constant(["a great film"]))["features"]
    assert np.allclose(features, loaded.features("a great film"), atol=1e-5)
    served = load_texts(result.export).features(["a great film"])
    assert np.allclose(features, served, atol=1e-5)
    assert loaded.predict([]).shape == (0, 2)


def test_an_export_says_what_it_takes(finished_texts):
    result, _ = finished_texts
    facts = json.loads((result.export / "assets" / "tfxfer.json").read_text())
    assert facts["modality"] == "text"
    assert facts["signatures"]["serving_default"].keys() == {"text", "gives"}
    assert facts["baseline"]["accuracy"].keys() == {"validation", "test"}
    body = json.loads((result.export / "assets.extra" / "request.json").read_text())
    assert isinstance(body["instances"][0], str)
    for path in (result.run, result.model, result.export, result.export.parent):
        assert takes_texts(path)


def test_a_model_below_the_minimum_accuracy_is_not_published(loaded, tmp_path):
    metrics = FitMetrics({"test": Summary(0.5, num_examples=10)})
    with pytest.raises(ExportError, match="below the required 0.9"):
        export_text_model(loaded, tmp_path / "x", ["a"], metrics, 0.9)
    assert not (tmp_path / "x").exists()


def test_a_model_that_differs_from_its_export_is_not_published(loaded, tmp_path, monkeypatch):
    from tfxfer.text.serving import publishing

    write = publishing.write_text_model

    def other(model, *rest):
        changed = keras.models.clone_model(model)
        changed.set_weights([weight + 0.3 for weight in model.get_weights()])
        for one, table in zip(changed.layers, model.layers):
            if one.name == "vectorize":
                one.set_weights(table.get_weights())
        write(changed, *rest)

    monkeypatch.setattr(publishing, "write_text_model", other)
    with pytest.raises(ExportError, match="does not match the evaluated model"):
        export_text_model(loaded, tmp_path / "x", ["a great film"], FitMetrics())
    assert not (tmp_path / "x").exists()


def test_a_place_that_cannot_be_written_is_named(loaded, tmp_path):
    (tmp_path / "x").write_text("a file")
    with pytest.raises(ExportError, match=re.escape(f"Cannot write the export to '{tmp_path}/x'")):
        export_text_model(loaded, tmp_path / "x", ["a"], FitMetrics())


def test_a_split_is_scored_and_missing_ones_are_named(finished_texts, loaded):
    result, _ = finished_texts
    source = loaded.open_source()
    found = score_texts(loaded, source, None, is_own=True)
    assert found.result.split == "test"
    assert found.result.accuracy == pytest.approx(result.metrics["test"]["accuracy"])
    assert found.result.describe().startswith("reviews test, 40 texts")
    assert len(found.ids) == len(found.texts) == 40
    everything = score_texts(loaded, source, "all", is_own=True)
    assert everything.result.num_examples == 120
    with pytest.raises(UsageError, match="has no split 'x'"):
        score_texts(loaded, source, "x", is_own=True)


def test_the_printed_requests_are_for_texts(finished_texts):
    result, _ = finished_texts
    text = how_to_serve(result.export)
    program = grpc_snippet(result.export.parent.name, texts=True)
    assert program in text
    assert "image" not in text
    (line,) = (line for line in text.splitlines() if '["TEXT"]}' in line)
    assert json.loads(shlex.split(line)[2]) == {"instances": ["TEXT"]}
    signatures = tf.saved_model.load(str(result.export)).signatures
    with grpc_server(signatures) as port:
        program = program.replace("localhost:8500", f"localhost:{port}")
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
    expected = signatures["serving_default"](text=tf.constant(["TEXT"]))["label"].numpy()
    assert done.stdout.startswith(f"[b'{expected[0].decode()}']")
