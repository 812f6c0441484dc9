import base64
import json
import subprocess
import sys

import pytest
import tensorflow as tf

from tfxfer.exporting import plain_tensorflow


def ask(request):
    return subprocess.run(
        [sys.executable, "-P", plain_tensorflow.__file__],
        input=json.dumps(request) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_process_with_tensorflow_alone_answers_for_every_signature(finished, pictures):
    result, _ = finished
    files = [path.read_bytes() for path in sorted((pictures / "test").rglob("*.jpg"))[:2]]
    pixels = tf.io.decode_jpeg(files[0], dct_method="INTEGER_ACCURATE").numpy()
    done = ask(
        {
            "directory": str(result.export),
            "images": [base64.b64encode(file).decode() for file in files],
            "pixels": {
                "data": base64.b64encode(pixels.tobytes()).decode(),
                "shape": pixels.shape,
            },
        }
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert set(answers) == {"together", "again", "singly", "pixels", "features"}
    assert answers["together"] == answers["again"]
    assert len(answers["singly"]) == 2
    probabilities = answers["together"]["probabilities"]
    assert answers["pixels"]["probabilities"][0] == pytest.approx(probabilities[0], abs=1e-5)
    assert answers["together"]["label"][0] in ("blue", "green", "red")


def test_keras_and_tfxfer_are_not_to_be_had_in_it():
    code = (
        "import runpy, sys, io, types\n"
        "sys.stdin = io.StringIO('')\n"
        "sys.modules['tensorflow'] = types.ModuleType('tensorflow')\n"  # takes long to import
        "try: runpy.run_path(sys.argv[1], run_name='__main__')\n"
        "except ValueError: pass\n"  # there was no request
        "for name in ('keras', 'tfxfer'):\n"
        "    try: __import__(name)\n"
        "    except ImportError: print(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, plain_tensorflow.__file__],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["keras", "tfxfer"]
