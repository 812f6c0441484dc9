"""The model card is read by the hub's own library, whatever the names."""

import re

import huggingface_hub
import pytest
from made import guesses, made_findings

from tfxfer.reporting import model_card

NAMES = ['<b>"x": y</b>', "two\nlines", "- 'Bär', 熊: |"]


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "made"
    return made_findings(folder, NAMES, *guesses(50, 3, 0.7))


def test_the_hub_reads_what_was_measured(findings):
    card = huggingface_hub.ModelCard(model_card.render(findings))
    assert card.data.library_name == "keras"
    assert card.data.pipeline_tag == "image-classification"
    accuracy, f1 = card.data.eval_results
    assert accuracy.metric_type == "accuracy"
    assert accuracy.metric_value == pytest.approx(findings.result.accuracy, abs=1e-6)
    assert f1.metric_value == pytest.approx(findings.result.classes.macro()["f1"], abs=1e-6)
    assert (accuracy.dataset_name, accuracy.dataset_split) == ("photos", "test")


def test_facts_hold_any_text(findings):
    facts = model_card._facts(findings, 'a: "b"\n- {c} # ü')
    card = huggingface_hub.ModelCard("\n".join([*facts, "# text"]))
    assert card.data.model_name == 'a: "b"\n- {c} # ü'


def test_names_of_classes_are_no_markup(findings):
    text = huggingface_hub.ModelCard(model_card.render(findings)).text
    assert "<b>" not in text
    assert "two lines" in text
    assert "熊" in text


def test_the_card_says_what_was_done_and_what_came_out(findings):
    text = model_card.render(findings)
    for _, value, (low, high) in findings.result.rows():
        assert f"{value:.4f} | ({low:.4f} to {high:.4f})" in text
    assert "Kept was epoch 2 of the finetune phase" in text
    assert "3 images were left out" in text
    assert re.search(r"Data: photos, 100 train, 50 test images", text)
