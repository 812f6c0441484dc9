"""The app of a Space, without tfxfer."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tfxfer.api.export import export
from tfxfer.api.predict import predict
from tfxfer.exporting.hosting.writing import write_hosted

# There are 12 images to calibrate both on.
CAUTIOUS = {"unknown": True, "unknown_rate": 0.2}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("gradio") is None, reason="Gradio is not installed"),
]


def of_app(space, more, *paths):
    """Returns the lines that a program prints which imports an app: its answer, and more."""
    code = (
        "import json, pathlib, sys\nimport app\n"
        f"print(json.dumps(app.answer(sys.argv[1])))\n{more}"
        "assert 'tfxfer' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, paths)],
        cwd=space,
        env={**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def space_of(version, folder):
    """Returns the folder of the Space of an export."""
    write_hosted(version, None, lambda _: None, space=folder)
    return folder


def test_a_space_has_the_classes_of_each_task(finished_tasks, paths, tmp_path):
    version = finished_tasks[0].export
    (told,) = of_app(space_of(version, tmp_path / "space"), "", paths[0])
    (expected,) = predict(version, [paths[0]])
    for own, (name, share) in zip(json.loads(told), expected.of_tasks.values(), strict=True):
        assert max(own, key=own.get) == name
        assert own[name] == pytest.approx(share, abs=1e-5)


def test_a_space_has_the_labels_that_are_predicted(finished_tags, paths, tmp_path):
    version = finished_tags[0].export
    (told,) = of_app(space_of(version, tmp_path / "space"), "", paths[0])
    shares, remarks = json.loads(told)
    (expected,) = predict(version, [paths[0]])
    names = [word.split(" (")[0] for word in remarks.split(": ")[1].rstrip(".").split(", ")]
    assert set(names) == {name for name, _ in expected.ranked} or {"none"}
    for name, share in expected.ranked:
        assert shares[name] == pytest.approx(share, abs=1e-5)


def test_a_space_tells_unknown_images_and_its_threshold(finished, paths, tmp_path):
    version = export(
        finished[0].run, export_dir=tmp_path, unknown=True, unknown_rate=0.2, say=lambda _: None
    )
    (told,) = of_app(space_of(version, tmp_path / "space"), "", paths[0])
    _, remarks = json.loads(told)
    (expected,) = predict(version, [paths[0]])
    first, second = remarks.splitlines()
    assert first.startswith("None of these" if expected.doubt.unknown else "Like the training")
    facts = json.loads((version / "assets" / "tfxfer.json").read_text())
    assert f"unknown above {facts['caution']['threshold']:.2f}" in first
    assert second.startswith("Prediction set (90% coverage): ")
    assert all(name in second for name in expected.doubt.in_set)


def test_the_app_of_a_space_answers_as_predict_does(written, finished, paths, tmp_path):
    space, *_ = written
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no image")
    done = of_app(
        space,
        "try:\n    app.classify(pathlib.Path(sys.argv[2]).read_bytes())\n"
        "except ValueError as error:\n    print(error)\n",
        paths[0],
        bad,
    )
    answer, refusal = done
    (expected,) = predict(finished[0].run, [paths[0]])
    found = json.loads(answer)
    for name, probability in expected.ranked:
        assert found[name] == pytest.approx(probability, abs=1e-5)
    assert refusal.startswith("This image cannot be read: ")
    assert refusal.endswith(".")
    assert "]" not in refusal
