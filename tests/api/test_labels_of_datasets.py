"""Tasks and several labels from datasets that are no manifests, from the data to the metrics."""

import numpy as np
import pytest
import tensorflow as tf
from conftest import small_config
from record_files import example_of

from tfxfer.api.evaluate import evaluate
from tfxfer.api.fit import fit

COLORS = ("blue", "green", "red")
SPLITS = ("train", "validation", "test")


def files_of(pictures, split):
    return sorted((pictures / split).rglob("*.jpg"))


@pytest.mark.slow
def test_a_saved_dataset_of_hugging_face_trains_tasks(pictures, weights_file, tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "color": datasets.ClassLabel(names=list(COLORS)),
            "warmth": datasets.Value("string"),
        }
    )
    saved = {}
    for split in SPLITS:
        files = files_of(pictures, split)
        colors = [COLORS.index(file.parent.name) for file in files]
        columns = {
            "image": [{"bytes": file.read_bytes(), "path": None} for file in files],
            "color": colors,
            "warmth": [
                None if place == 1 else ("warm" if color == 2 else "cool")
                for place, color in enumerate(colors)
            ],
        }
        saved[split] = datasets.Dataset.from_dict(columns, features)
    datasets.DatasetDict(saved).save_to_disk(tmp_path / "colors")
    config = small_config(tmp_path / "colors", weights_file, tmp_path, tasks="color,warmth")
    result = fit(config.with_settings({"finetune": {"epochs": 0}}), say=lambda _: None)
    own = evaluate(result.run)
    assert own.tasks.as_json() == {"color": list(COLORS), "warmth": ["cool", "warm"]}
    assert own.num_examples == len(files_of(pictures, "test"))
    assert own.accuracy > 0.8
    again = evaluate(result.run, data=str(tmp_path / "colors"), split="test")
    np.testing.assert_array_equal(again.true, own.true)
    assert again.accuracy == own.accuracy


@pytest.mark.slow
def test_records_with_several_labels_are_trained_and_evaluated(pictures, weights_file, tmp_path):
    numbers = {"blue": [0], "green": [0, 1], "red": []}
    folder = tmp_path / "records"
    folder.mkdir()
    for split in SPLITS:
        with tf.io.TFRecordWriter(str(folder / f"{split}.tfrecord")) as writer:
            for file in files_of(pictures, split):
                labels = numbers[file.parent.name]
                writer.write(example_of(file.read_bytes(), image_class_label=labels))
    (folder / "labels.txt").write_text("cold\nleafy\n")
    config = small_config(folder, weights_file, tmp_path).with_settings({"finetune": {"epochs": 0}})
    result = fit(config, say=lambda _: None)
    own = evaluate(result.run)
    assert own.class_names == ("cold", "leafy")
    assert own.mean_average_precision > 0.8
    again = evaluate(result.run, data=str(folder), split="test")
    np.testing.assert_array_equal(again.labels, own.labels)
