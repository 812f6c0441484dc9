"""What `demo` refuses."""

from importlib.util import find_spec

import pytest
from command_line import run

from tfxfer.showing.address import Address


@pytest.mark.skipif(find_spec("gradio") is None, reason="Gradio is not installed")
def test_a_missing_model_and_a_port_in_use_are_one_line(tmp_path):
    done = run("demo", tmp_path / "none", "--port", 0)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "There is no model" in done.stderr
    taken = Address("127.0.0.1", 0)
    taken.socket.listen()
    done = run("demo", tmp_path / "none", "--port", taken.port)
    taken.socket.close()
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert f"port {taken.port}" in done.stderr


def test_a_port_is_a_port():
    assert run("demo", "runs/none", "--port", 65536).exit_code == 2
