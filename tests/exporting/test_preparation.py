import tensorflow as tf

from tfxfer.config.frame import Frame
from tfxfer.exporting.preparation import Preparation


def test_a_preparation_begins_once_and_ends_its_process(pictures):
    files = [path.read_bytes() for path in (pictures / "test").rglob("*.jpg")]
    with Preparation(Frame.of(16)) as preparation:
        assert preparation.decoder() is None  # nothing has begun
        preparation.begin()
        process, decode = preparation.gate._process, preparation.decoder()
        preparation.begin()
        assert (preparation.gate._process, preparation.decoder()) == (process, decode)
        assert process.poll() is None
    assert process.poll() is not None
    assert decode(tf.constant(files)).shape == (len(files), 16, 16, 3)
