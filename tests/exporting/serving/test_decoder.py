import numpy as np
import pytest
import tensorflow as tf

from tfxfer.config.frame import Frame
from tfxfer.data.image.channels import decode_and_resize
from tfxfer.exporting.serving.decoder import traced_decoder


def test_files_are_decoded_as_in_training_and_refused_by_their_number(pictures):
    path = next((pictures / "test").rglob("*.jpg"))
    jpeg, frame = path.read_bytes(), Frame.of("16x24")
    png = tf.io.encode_png(np.arange(27, dtype="uint8").reshape(3, 3, 3)).numpy()
    decode = traced_decoder(frame)
    found = decode(tf.constant([jpeg, png])).numpy()
    for one, file in zip(found, (jpeg, png), strict=True):
        np.testing.assert_array_equal(one, decode_and_resize(tf.constant(file), frame).numpy())
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"image_bytes\[1\] cannot be read"):
        decode(tf.constant([jpeg, b"nothing"]))
