"""The model card is read by the hub's own library, whatever the names."""

import dataclasses

import huggingface_hub
import numpy as np
import pytest
from made import guesses, made_findings
from nasty_names import NASTY_NAMES

from tfxfer.reporting import model_card
from tfxfer.runs.class_names import write_class_names

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


def test_metadata_hold_any_text(findings):
    metadata = model_card.metadata(findings, 'a: "b"\n- {c} # ü', [("accuracy", "Accuracy", 0.5)])
    card = huggingface_hub.ModelCard("\n".join([*metadata, "# text"]))
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
    assert "Best epoch: 2 of the finetune phase" in text
    assert "3 images were left out" in text
    assert "photos, 100 train, 50 test images" in text


@pytest.mark.parametrize("names", [NASTY_NAMES, ("cat", "dog"), ("a b", "Bär")])
def test_the_program_of_the_card_reads_the_names_of_the_classes(
    findings, names, tmp_path, monkeypatch
):
    result = dataclasses.replace(findings.result, class_names=tuple(names))
    changed = dataclasses.replace(findings, result=result)
    program = (
        "\n".join(model_card.usage_section(changed)).split("```python\n")[1].partition("```")[0]
    )
    write_class_names(tmp_path / "classes.txt", tuple(names))
    findings.model.save(tmp_path / "model.keras")
    monkeypatch.chdir(tmp_path)
    size = findings.images.frame.size
    images = np.zeros((2, size, size, 3), np.float32)
    found = {"images": images}
    exec(program.replace("images = ...", "images = images"), found)
    assert found["class_names"] == list(names)
    assert found["probabilities"].shape == (2, 3)
