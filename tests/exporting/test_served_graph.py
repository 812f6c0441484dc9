import contextlib

import numpy as np
import pytest
import tensorflow as tf

from tfxfer.errors import ExportError
from tfxfer.exporting.served_graph import ServedGraph, same


class Doubling(tf.Module):
    """Doubles numbers, and names them."""

    def __init__(self):
        super().__init__()
        self.factor = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def double(self, texts):
        if tf.size(texts) > 9:
            tf.debugging.Assert(False, ["too many texts"])
        doubled = self.factor * tf.strings.to_number(texts)
        return {"doubled": doubled, "name": tf.strings.join(["\N{GREEK SMALL LETTER BETA}", texts])}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    module, path = Doubling(), tmp_path_factory.mktemp("served")
    tf.saved_model.save(module, str(path), {"serving_default": module.double})
    with contextlib.closing(ServedGraph(path)) as graph:
        yield graph


def test_signatures_answer_with_trained_weights_and_text(served):
    answer = served.answer("serving_default", [b"1", b"2.5"])
    assert answer["doubled"].tolist() == [2, 5]
    assert answer["name"].tolist() == [
        "\N{GREEK SMALL LETTER BETA}1",
        "\N{GREEK SMALL LETTER BETA}2.5",
    ]
    assert served.has("serving_default")
    assert not served.has("features")
    nothing = served.answer("serving_default", [])
    assert nothing["doubled"].shape == nothing["name"].shape == (0,)


def test_answers_are_joined_and_compared_to_the_bit(served):
    together = served.answer("serving_default", [b"1", b"3"])
    singly = served.answer_singly("serving_default", [b"1", b"3"])
    assert same(together, singly)
    above = np.nextafter(together["doubled"], np.float32(9))
    assert not same(together, {**together, "doubled": above})
    assert not same(together, {"name": together["name"]})


def test_what_cannot_be_run_is_told(served, tmp_path):
    with pytest.raises(ExportError, match="cannot run the export: .*too many texts"):
        served.answer("serving_default", [b"1"] * 10)
    with pytest.raises(ExportError, match="has no signature 'pixels'"):
        served.answer("pixels", [])
    with pytest.raises(ExportError, match="cannot run the export: SavedModel file does not exist"):
        ServedGraph(tmp_path)
