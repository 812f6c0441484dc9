"""The verbs on texts, through the same names as those on images."""

import csv
import json

import numpy as np
import pytest
from command_line import run
from made_texts import review, small, write_manifest

import tfxfer
from tfxfer.api.convert import convert
from tfxfer.api.predict import predict_shards
from tfxfer.errors import UsageError
from tfxfer.inference.prediction import Prediction
from tfxfer.text.verbs.predict import lines_of

pytestmark = pytest.mark.slow


def test_a_fit_learns_says_what_it_did_and_leaves_a_run(finished_texts):
    result, said = finished_texts
    assert result.metrics["test"]["accuracy"] > 0.9
    assert "texts)" in said
    assert "images" not in said
    assert "TF-IDF with logistic regression (test accuracy" in said or "No better" in said
    assert result.metrics["baseline"]["accuracy"]["test"] > 0.8
    for name in ("config.toml", "asked.toml", "splits.csv", "history.csv", "best.weights.h5"):
        assert (result.run / name).is_file(), name
    assert not (result.run / "checkpoints").exists()
    card = (result.run / "README.md").read_text()
    assert "text-classification" in card
    with (result.run / "predictions.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 40


def test_a_finished_run_is_not_trained_again(finished_texts):
    result, _ = finished_texts
    said = []
    again = tfxfer.fit(resume=result.run, say=said.append)
    assert "is already finished" in said[0]
    assert again.metrics == result.metrics


def test_the_report_shows_numbers_and_mistakes_with_their_texts(finished_texts, tmp_path):
    result, _ = finished_texts
    page = (result.run / "report.html").read_text()
    for words in ("Confusion matrix", "Training curves", "95% interval", "TF-IDF", "texts"):
        assert words in page
    assert "<br />&lt;" not in page
    written = tfxfer.report(result.run, output=tmp_path / "page.html", say=lambda _: None)
    assert "Most confident mistakes" in written.read_text()
    assert tfxfer.report(result.run, say=lambda _: None) == result.run / "report.html"
    with pytest.raises(UsageError, match="cannot be compared"):
        tfxfer.report(result.run, result.run)


def test_files_folders_patterns_and_lines_are_classified(finished_texts, reviews, tmp_path):
    result, _ = finished_texts
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "bom.txt").write_bytes(b"\xef\xbb\xbf" + review(5, True).encode())
    (tmp_path / "plain.txt").write_text(review(5, True))
    paths = [tmp_path, str(reviews / "test" / "pos" / "1*.txt"), reviews / "test" / "neg"]
    found = list(tfxfer.predict(result.run, paths, listed=["great", "", "\udcff"], top=2))
    names = [str(one.path) for one in found]
    assert len(found) == 3 + 11 + 20 + 3
    assert names[0].endswith("bom.txt")
    assert names[-3:] == ["line 1", "line 2", "line 3"]
    assert found[0].ranked == found[2].ranked
    assert all(not one.error and len(one.ranked) == 2 for one in found)
    classifier = tfxfer.load(result.run)
    expected = classifier.predict([path.read_bytes() for path in sorted(tmp_path.glob("*.txt"))])
    assert [dict(one.ranked)["pos"] for one in found[1:3]] == pytest.approx(expected[1:, 1])
    with pytest.raises(UsageError, match="No file matches"):
        list(tfxfer.predict(result.run, [tmp_path / "x*.txt"]))


def test_a_file_that_vanishes_is_an_error_of_its_own(finished_texts, tmp_path):
    result, _ = finished_texts
    (tmp_path / "a.txt").write_text("great")
    (tmp_path / "b.txt").write_text("dull")
    answers = tfxfer.predict(result.run, [tmp_path])
    (tmp_path / "a.txt").unlink()
    first, second = answers
    assert first == Prediction(tmp_path / "a.txt", (), "No such file or directory")
    assert second.ranked


def test_lines_keep_blank_ones():
    assert lines_of(b"") == []
    assert lines_of(b"\n") == [""]
    assert lines_of(b"\xef\xbb\xbfa\0b\r\n\nc\xff") == ["a\0b", "", "c\udcff"]


def test_the_command_reads_lines_from_standard_input(finished_texts):
    result, _ = finished_texts
    done = run("predict", result.run, "-", "--format", "jsonl", input="a great film\n\ndull\n")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["path"] for row in rows] == ["line 1", "line 2", "line 3"]


def test_other_data_are_evaluated_without_what_was_trained_on(finished_texts, reviews, tmp_path):
    result, _ = finished_texts
    own = tfxfer.evaluate(result.run)
    assert own.accuracy == pytest.approx(result.metrics["test"]["accuracy"])
    rows = [
        {"text": review(0, True), "label": "pos"},
        {"text": review(5000, False), "label": "neg"},
    ]
    (tmp_path / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for model in (result.run, result.export):
        found = tfxfer.evaluate(model, data=str(tmp_path / "new.jsonl"), split="all")
        assert found.num_examples == 1
        assert any("trained on" in note for note in found.notes)


def test_a_run_is_exported_again_calibrated_and_pruned(finished_texts, tmp_path):
    result, _ = finished_texts
    settings = {"export_dir": str(tmp_path), "name": "again"}
    first = tfxfer.export(result.run, say=print, **settings)
    second = tfxfer.export(result.run, calibrate=True, keep=1, **settings)
    assert (first.name, second.name) == ("1", "2")
    assert not first.exists()
    plain, calibrated = tfxfer.load(result.run), tfxfer.load(second)
    one, other = plain.predict(["a great film"]), calibrated.predict(["a great film"])
    assert one.argmax() == other.argmax()
    facts = json.loads((second / "assets" / "tfxfer.json").read_text())
    assert facts["calibration"]["applied"]
    logits = np.log(one[0]) / facts["calibration"]["temperature"]
    assert np.allclose(other[0], np.exp(logits) / np.exp(logits).sum(), atol=1e-4)
    with pytest.raises(UsageError, match="is already an export"):
        tfxfer.export(second)


def test_what_texts_cannot_do_is_refused_in_a_sentence(finished_texts, reviews):
    result, _ = finished_texts
    for kind, what in (("onnx", "ONNX"), ("litert", "LiteRT")):
        with pytest.raises(UsageError, match=f"which {what} cannot hold"):
            convert(result.run, kind)
    with pytest.raises(UsageError, match="--format parquet"):
        predict_shards(result.run, [reviews], "out")
    with pytest.raises(UsageError, match="to rank them by"):
        tfxfer.rank(data=str(reviews))


def test_a_pretrained_backbone_moves_to_other_texts(reviews, tmp_path):
    places = {"runs_dir": str(tmp_path / "runs")}
    text = small(backbone="gru")["text"]
    source = tfxfer.pretrain(
        data=str(reviews), backbone="gru", text=text, epochs=3, learning_rate=0.02, batch_size=16,
        say=lambda _: None, **places,
    )  # fmt: skip
    assert source.backbone.is_file()
    assert source.metrics["test"]["accuracy"] > 0.8
    said = []
    moved = tfxfer.fit(
        data=str(write_manifest(tmp_path / "few.jsonl", 30)),
        backbone="gru",
        weights=str(source.run),
        finetune={"epochs": 1},
        say=said.append,
        export_dir=str(tmp_path / "exports"),
        **places,
    )
    text = "\n".join(said)
    assert f"weights and vocabulary of {source.run}" in text
    assert "one fit per L2 penalty" in text
    assert moved.metrics["penalty"] > 0
    assert moved.metrics["validation"]["accuracy"] >= 0.8
    ours = tfxfer.load(moved.run).model.get_layer("vectorize").get_layer("tokens")
    words = set(ours.get_vocabulary())
    assert "great" in words
    assert "film" in words


def test_unknown_texts_are_not_told(finished_texts):
    result, _ = finished_texts
    with pytest.raises(UsageError, match="'unknown' .* takes texts"):
        tfxfer.export(result.run, unknown=True)


def test_a_backbone_that_learned_words_alone_moves_to_labeled_texts(reviews, tmp_path):
    said = []
    shared = {"backbone": "lstm", "runs_dir": str(tmp_path / "runs")}
    source = tfxfer.pretrain(
        **shared,
        data=str(reviews),
        objective="next-word",
        epochs=4,
        text=small(backbone="lstm")["text"],
        say=said.append,
    )
    scores = source.metrics["validation"]
    assert scores["loss"] < np.log(40)
    assert f"validation perplexity {np.exp(scores['loss']):.1f}" in said[-1]
    result = tfxfer.fit(
        **shared,
        data=str(reviews),
        weights=str(source.run),
        export_dir=str(tmp_path / "exports"),
        say=said.append,
    )
    assert result.metrics["test"]["accuracy"] > 0.8
