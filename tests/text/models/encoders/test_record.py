import pytest
from encoder_files import encoder_directory

from tfxfer.errors import UsageError
from tfxfer.text.models.encoders.directories import read_encoder
from tfxfer.text.models.encoders.packaged import MINILM
from tfxfer.text.models.encoders.record import SETTINGS, checked_encoder

GIVEN = {
    "vocabulary_size": 100,
    "num_layers": 3,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 12,
    "max_sequence_length": 10,
    "dropout": 0.1,
    "attention_dropout": 0.1,
    "epsilon": 1e-12,
    "num_segments": 2,
}
OTHERS = {
    "folder": "",
    "family": "bert",
    "is_preset": False,
    "approximate": False,
    "mean": True,
    "lowercase": True,
    "strip_accents": True,
    "license": "",
}


def test_stages_and_lengths_follow_from_the_settings():
    found = checked_encoder("x", GIVEN, **OTHERS)
    assert found.stages == ("embedding", "block1", "block2", "block3")
    assert (found.most_words, found.max_tokens) == (8, 10)
    assert checked_encoder("x", GIVEN, **OTHERS, max_tokens=6).max_tokens == 6
    assert checked_encoder("x", GIVEN, **OTHERS, max_tokens=99).max_tokens == 10
    assert checked_encoder("x", GIVEN, **OTHERS, max_tokens=1).max_tokens == 3
    assert all(kind.fits(GIVEN[name]) for name, kind in SETTINGS.items())


def test_the_number_of_parameters_is_that_of_the_literature():
    # Without the pooler of 147,840 and the second segment; 22,713,216 with them.
    assert MINILM.num_parameters == 22_713_216 - 384 * 385 - 2 * 384


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"num_heads": 3}, "3 heads do not divide"), ({"max_sequence_length": 2}, "with 2 positions")],
)
def test_impossible_networks_are_refused(changes, reason):
    with pytest.raises(UsageError, match=reason):
        checked_encoder("x", GIVEN | changes, **OTHERS)


def test_a_file_that_is_too_small_for_the_network_is_refused(tmp_path):
    folder = encoder_directory(tmp_path, hidden_size=4096, num_hidden_layers=100)
    with pytest.raises(UsageError, match="is too small for the"):
        read_encoder(folder)
