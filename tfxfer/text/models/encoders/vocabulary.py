"""The tokenizer of an encoder, from its files: the tokens, and what is done to a text first."""

import pathlib
from collections.abc import Mapping
from typing import Any

from tfxfer.errors import UsageError
from tfxfer.models.foreign.tables import read_json

# Token 0 pads texts, as it does everywhere in this program.
PAD, UNKNOWN, START, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"

_TOKENS, _TOKENIZER = "vocab.txt", "tokenizer.json"
_TOKENIZER_CONFIG = "tokenizer_config.json"
_PRESET_TOKENS = "assets/tokenizer/vocabulary.txt"

# Of multilingual encoders they have 3 MB.
_MOST_MEGABYTES = 32

_CLASSES = ("BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast")


def read_tokens(folder: pathlib.Path, vocabulary_size: int, *, is_preset: bool) -> list[str]:
    """Returns the tokens of an encoder; the index is the id.

    Args:
        folder: Of its files.
        vocabulary_size: Rows of its embedding; there may be fewer tokens.
        is_preset: Whether it is a preset of KerasHub.

    Raises:
        UsageError: The file is missing, or has no vocabulary of WordPiece.
    """
    path = folder / (_PRESET_TOKENS if is_preset else _TOKENS)
    if path.is_file():
        tokens = _lines(path)
    elif not is_preset and (folder / _TOKENIZER).is_file():
        path = folder / _TOKENIZER
        tokens = _of_table(_word_piece(path).get("vocab"), path)
    else:
        known = path.name if is_preset else f"{_TOKENS}' or '{_TOKENIZER}"
        raise UsageError(
            f"'{folder}' has no vocabulary: it lacks '{known}'. Copy the whole directory, or save "
            "the tokenizer there, too."
        )
    _check(tokens, vocabulary_size, path)
    return tokens


def _lines(path: pathlib.Path) -> list[str]:
    with path.open("rb") as file:
        content = file.read(_MOST_MEGABYTES * 1_000_000 + 1)
    if len(content) > _MOST_MEGABYTES * 1_000_000:
        raise UsageError(f"'{path}' is larger than {_MOST_MEGABYTES} MB, so it is no vocabulary.")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"'{path}' is not UTF-8, at byte {error.start}.") from None
    # As KerasHub reads what it saves.
    return [line.rstrip() for line in text.removesuffix("\n").split("\n")]


def _of_table(table: Any, path: pathlib.Path) -> list[str]:
    """Returns the tokens of a table of ids by token."""
    if not isinstance(table, dict) or not all(type(number) is int for number in table.values()):
        raise UsageError(f"'{path}' has no vocabulary: 'vocab' must be a table of numbers.")
    tokens = sorted(table, key=lambda token: table[token])
    if [table[token] for token in tokens] != list(range(len(tokens))):
        raise UsageError(f"'{path}' has a vocabulary whose numbers are not 0, 1, 2 and so on.")
    return tokens


def _check(tokens: list[str], vocabulary_size: int, path: pathlib.Path) -> None:
    if len(tokens) > vocabulary_size:
        raise UsageError(
            f"'{path}' has {len(tokens):,} tokens, but the network {vocabulary_size:,} embeddings."
        )
    seen: dict[str, int] = {}
    for place, token in enumerate(tokens):
        if not token or token != token.rstrip() or token in seen or "\n" in token:
            what = f"repeats token {seen[token]}" if token in seen else "is empty or ends in space"
            raise UsageError(f"'{path}' is no vocabulary of WordPiece: token {place} {what}.")
        seen[token] = place
    for token in (PAD, UNKNOWN, START, END):
        if token not in seen:
            raise UsageError(f"'{path}' is no vocabulary of BERT: it lacks '{token}'.")
    if seen[PAD]:
        raise UsageError(f"'{path}' has '{PAD}' as token {seen[PAD]}; it must be token 0.")


def transformers_normalization(folder: pathlib.Path) -> tuple[bool, bool]:
    """Returns whether a tokenizer of transformers makes lower case, and strips accents.

    Raises:
        UsageError: No file says it, or it is another tokenizer than that of BERT.
    """
    path = folder / _TOKENIZER
    if path.is_file():
        _word_piece(path)
        found = read_json(path, _MOST_MEGABYTES).get("normalizer")
        if not isinstance(found, dict) or found.get("type") != "BertNormalizer":
            raise UsageError(f"'{path}' is another tokenizer than that of BERT: its normalizer.")
        _check_chinese(found.get("handle_chinese_chars", True), path)
        return _flags(found, "lowercase", path)
    path = folder / _TOKENIZER_CONFIG
    if not path.is_file():
        raise UsageError(
            f"'{folder}' does not say how texts become tokens: it has neither '{_TOKENIZER}' nor "
            f"'{_TOKENIZER_CONFIG}'. Copy the whole directory, or save the tokenizer there, too."
        )
    found = read_json(path)
    if (name := found.get("tokenizer_class", _CLASSES[0])) not in _CLASSES:
        raise UsageError(
            f"'{path}' is of the tokenizer {name!r:.60}; only those of BERT, {_CLASSES[0]} or "
            f"{_CLASSES[2]}, can be used."
        )
    _check_chinese(found.get("tokenize_chinese_chars", True), path)
    return _flags({"do_lower_case": True, **found}, "do_lower_case", path)


def preset_normalization(folder: pathlib.Path) -> tuple[bool, bool]:
    """Returns whether the tokenizer of a preset of KerasHub makes lower case, and strips accents.

    Raises:
        UsageError: There is none, or it is another than that of BERT.
    """
    path = folder / _TOKENIZER
    if not path.is_file():
        raise UsageError(
            f"The preset '{folder}' does not say how texts become tokens: it has no '{_TOKENIZER}'."
            " Save its tokenizer there, too, by `save_to_preset`."
        )
    content = read_json(path, _MOST_MEGABYTES)
    found, name = content.get("config"), content.get("class_name")
    if name not in (*_CLASSES, "WordPieceTokenizer") or not isinstance(found, dict):
        raise UsageError(
            f"'{path}' is of the tokenizer {name!r:.60}; only those of BERT, {_CLASSES[0]} or "
            f"{_CLASSES[2]}, can be used."
        )
    expected = {
        "split": True,
        "split_on_cjk": True,
        "suffix_indicator": "##",
        "oov_token": UNKNOWN,
        "special_tokens_in_strings": False,
    }
    for key, value in expected.items():
        if found.get(key, value) != value:
            raise UsageError(
                f"'{path}' has {found[key]!r:.60} for '{key}'; only tokenizers with {value!r} can "
                "be used."
            )
    return _flags({"strip_accents": False, **found}, "lowercase", path)


def _word_piece(path: pathlib.Path) -> Mapping[str, Any]:
    """Returns the model in a `tokenizer.json`, which must be WordPiece."""
    found = read_json(path, _MOST_MEGABYTES).get("model")
    kind = found.get("type", "WordPiece") if isinstance(found, dict) else None
    if not isinstance(found, dict) or kind != "WordPiece":
        raise UsageError(f"'{path}' is of the tokenizer {kind!r:.60}; only WordPiece can be used.")
    if found.get("continuing_subword_prefix", "##") != "##":
        raise UsageError(f"'{path}' has another mark within words than '##'. It cannot be used.")
    return found


def _check_chinese(value: Any, path: pathlib.Path) -> None:
    if value is not True:
        raise UsageError(f"'{path}' does not split Chinese characters, so it cannot be used.")


def _flags(found: Mapping[str, Any], name: str, path: pathlib.Path) -> tuple[bool, bool]:
    """Returns both flags; accents are stripped with lower case where nothing else is said."""
    lowercase, accents = found.get(name, False), found.get("strip_accents")
    accents = lowercase if accents is None else accents
    if not isinstance(lowercase, bool) or not isinstance(accents, bool):
        raise UsageError(f"'{path}' must have true or false for '{name}' and 'strip_accents'.")
    return lowercase, accents
