"""The app of a Space, without tfxfer."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tfxfer.api.predict import predict


@pytest.mark.skipif(find_spec("gradio") is None, reason="Gradio is not installed")
@pytest.mark.slow
def test_the_app_of_a_space_answers_as_predict_does(written, finished, paths, tmp_path):
    space, *_ = written
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no image")
    code = (
        "import json, pathlib, sys\n"
        "import app\n"
        "print(json.dumps(app.answer(sys.argv[1])))\n"
        "try:\n    app.classify(pathlib.Path(sys.argv[2]).read_bytes())\n"
        "except ValueError as error:\n    print(error)\n"
        "assert 'tfxfer' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, paths[0], str(bad)],
        cwd=space,
        env={**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"},
        capture_output=True,
        text=True,
        check=True,
    )
    answer, refusal = done.stdout.splitlines()
    (expected,) = predict(finished[0].run, [paths[0]])
    found = json.loads(answer)
    for name, probability in expected.ranked:
        assert found[name] == pytest.approx(probability, abs=1e-5)
    assert refusal.startswith("This image cannot be read: ")
    assert refusal.endswith(".")
    assert "]" not in refusal
