"""The files of a tokenizer: tokens, and what is done to a text first."""

import json

import pytest
from encoder_files import TOKENS, encoder_directory, preset_directory, tokenizer_table
from messages import parts

from tfxfer.errors import UsageError
from tfxfer.text.models.encoders.vocabulary import (
    preset_normalization,
    read_tokens,
    transformers_normalization,
)


def test_tokens_are_read_from_either_file(tmp_path):
    folder = encoder_directory(tmp_path)
    assert read_tokens(folder, 1000, is_preset=False) == TOKENS
    (folder / "vocab.txt").unlink()
    with pytest.raises(UsageError, match="lacks 'vocab.txt' or 'tokenizer.json'"):
        read_tokens(folder, 1000, is_preset=False)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_table()))
    assert read_tokens(folder, 1000, is_preset=False) == TOKENS
    preset = preset_directory(tmp_path / "preset", "Bert")
    assert read_tokens(preset, 1000, is_preset=True) == TOKENS


@pytest.mark.parametrize(
    ("tokens", "reason"),
    [
        (TOKENS[1:], "lacks '[PAD]'"),
        ([*TOKENS[1:], "[PAD]"], "must be token 0"),
        ([*TOKENS, "a"], "repeats token"),
        ([*TOKENS, ""], "is empty"),
        ([*TOKENS, "x "], "repeats token"),
        ([one for one in TOKENS if one != "[SEP]"], "lacks '[SEP]'"),
        ([*TOKENS, *(f"x{number}" for number in range(1000))], "embeddings"),
    ],
)
def test_what_is_no_vocabulary_of_bert_is_refused(tmp_path, tokens, reason):
    folder = encoder_directory(tmp_path)
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens), "utf-8")
    with pytest.raises(UsageError, match=parts(reason)):
        read_tokens(folder, len(TOKENS) + 3, is_preset=False)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    folder = encoder_directory(tmp_path)
    (folder / "vocab.txt").write_bytes(b"[PAD]\n\xff\n")
    with pytest.raises(UsageError, match="is not UTF-8, at byte 6"):
        read_tokens(folder, 1000, is_preset=False)
    (folder / "vocab.txt").write_bytes(b"x" * 32_000_001)
    with pytest.raises(UsageError, match="larger than 32 MB"):
        read_tokens(folder, 1000, is_preset=False)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, (True, True)),
        ({"do_lower_case": False}, (False, False)),
        ({"do_lower_case": False, "strip_accents": True}, (False, True)),
        ({"strip_accents": False}, (True, False)),
        ({"tokenizer_class": "DistilBertTokenizerFast"}, (True, True)),
    ],
)
def test_accents_are_stripped_with_lower_case_unless_it_says_otherwise(tmp_path, said, expected):
    assert transformers_normalization(encoder_directory(tmp_path, tokenizer=said)) == expected


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"tokenizer_class": "RobertaTokenizer"}, "'RobertaTokenizer'; only those of BERT"),
        ({"tokenize_chinese_chars": False}, "does not split Chinese characters"),
        ({"do_lower_case": "yes"}, "must have true or false"),
    ],
)
def test_other_tokenizers_are_refused(tmp_path, said, reason):
    with pytest.raises(UsageError, match=reason):
        transformers_normalization(encoder_directory(tmp_path, tokenizer=said))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": {"type": "BPE", "vocab": {}}}, "'BPE'; only WordPiece"),
        ({"model": []}, "only WordPiece"),
        ({"model": {"type": "WordPiece", "continuing_subword_prefix": "@@"}}, "another mark"),
        ({"normalizer": None}, "another tokenizer than that of BERT"),
        ({"normalizer": {"type": "Lowercase"}}, "another tokenizer than that of BERT"),
    ],
)
def test_other_tokenizers_in_one_file_are_refused(tmp_path, changes, reason):
    folder = encoder_directory(tmp_path)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_table() | changes))
    with pytest.raises(UsageError, match=reason):
        transformers_normalization(folder)


@pytest.mark.parametrize("table", [None, {"[PAD]": "0"}, {"[PAD]": 0, "[UNK]": 2}])
def test_tables_without_numbers_in_a_row_are_refused(tmp_path, table):
    folder = encoder_directory(tmp_path)
    (folder / "vocab.txt").unlink()
    content = tokenizer_table() | {"model": {"type": "WordPiece", "vocab": table}}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match="vocabulary"):
        read_tokens(folder, 1000, is_preset=False)


def test_one_of_the_files_must_say_it(tmp_path):
    folder = encoder_directory(tmp_path)
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(UsageError, match="does not say how texts become tokens"):
        transformers_normalization(folder)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"split": False}, "False for 'split'; only tokenizers with True"),
        ({"suffix_indicator": "@"}, "'@' for 'suffix_indicator'"),
        ({"special_tokens_in_strings": True}, "for 'special_tokens_in_strings'"),
        ({"lowercase": 1}, "must have true or false"),
    ],
)
def test_other_tokenizers_of_presets_are_refused(tmp_path, changes, reason):
    folder = preset_directory(tmp_path, "Bert")
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    content["config"] |= changes
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=reason):
        preset_normalization(folder)
    path.write_text(json.dumps(content | {"class_name": "BytePairTokenizer"}))
    with pytest.raises(UsageError, match="'BytePairTokenizer'; only those of BERT"):
        preset_normalization(folder)
    path.unlink()
    with pytest.raises(UsageError, match="Save its tokenizer there"):
        preset_normalization(folder)
