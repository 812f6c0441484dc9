"""What the settings of a network may be in the file of a preset.

The file may come from a stranger. Networks are built of values that were checked here one by one,
never by deserializing the file, which could run code.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tfxfer.errors import UsageError, did_you_mean

# What a preset says besides the network's own settings: tfxfer decides these itself.
_NOT_READ = {
    "name",
    "trainable",
    "dtype",
    "image_shape",
    "input_shape",
    "data_format",
    "out_features",
}

_MOST_STAGES = 16


@dataclass(frozen=True)
class Kind:
    """What a setting may be.

    Attributes:
        words: In words, as what it must be.
        fits: Tells whether a value of a JSON file is that.
    """

    words: str
    fits: Callable[[Any], bool]


def whole_number(most: int) -> Kind:
    """Returns the kind of whole numbers from 1."""
    return Kind(f"a whole number from 1 to {most:,}", lambda value: _is_whole(value, most))


def whole_numbers(most: int) -> Kind:
    """Returns the kind of lists of whole numbers from 1, one for each stage."""
    return each(whole_number(most))


def each(kind: Kind) -> Kind:
    """Returns the kind of lists, each of whose values is of one kind."""
    return Kind(
        f"a list of 1 to {_MOST_STAGES} values, each {kind.words}",
        lambda value: (
            isinstance(value, list)
            and 1 <= len(value) <= _MOST_STAGES
            and all(kind.fits(one) for one in value)
        ),
    )


def optional(kind: Kind) -> Kind:
    """Returns the kind that may also be null."""
    return Kind(f"{kind.words} or null", lambda value: value is None or kind.fits(value))


def either(first: Kind, second: Kind) -> Kind:
    """Returns the kind that is one of two."""
    return Kind(
        f"{first.words}, or {second.words}", lambda value: first.fits(value) or second.fits(value)
    )


def number(least: float, most: float) -> Kind:
    """Returns the kind of numbers in a closed interval."""
    return Kind(
        f"a number from {least:g} to {most:g}",
        lambda value: _is_number(value) and least <= value <= most,
    )


def fraction() -> Kind:
    """Returns the kind of numbers above 0, up to 1."""
    return Kind("a number above 0, up to 1", lambda value: _is_number(value) and 0 < value <= 1)


def one_of(*words: str) -> Kind:
    """Returns the kind of some words."""
    return Kind(", ".join(words), lambda value: isinstance(value, str) and value in words)


FLAG = Kind("true or false", lambda value: isinstance(value, bool))


def _is_whole(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def checked_settings(
    found: Any, kinds: Mapping[str, Kind], defaults: Mapping[str, Any], where: str
) -> dict[str, Any]:
    """Returns the settings of a network, with defaults for those that are missing.

    Args:
        found: What the file has.
        kinds: What each setting may be.
        defaults: Values of those that may be missing.
        where: The file, for messages.

    Raises:
        UsageError: A setting is unknown, missing or impossible, or the network has other inputs
            than RGB images or quantized weights.
    """
    if not isinstance(found, dict):
        raise UsageError(f"{where} has no settings of a network: 'config' must be a table.")
    _check_known(found, kinds, where)
    _check_input(found, where)
    settings = dict(defaults) | {name: found[name] for name in kinds if name in found}
    for name, kind in kinds.items():
        if name not in settings:
            raise UsageError(f"{where} lacks the setting '{name}' of its network.")
        if not kind.fits(settings[name]):
            raise UsageError(
                f"{where} has {_short(settings[name])} for '{name}'; it must be {kind.words}."
            )
    return settings


def _check_known(found: Mapping[str, Any], kinds: Collection[str], where: str) -> None:
    for name in found:
        if name not in kinds and name not in _NOT_READ:
            raise UsageError(
                f"{where} has an unknown setting {_short(name)}.{did_you_mean(name, kinds)} "
                f"Settings of this network are {', '.join(kinds)}."
            )


def _check_input(found: Mapping[str, Any], where: str) -> None:
    shape = found.get("image_shape", found.get("input_shape"))
    if shape is not None and not (isinstance(shape, list) and len(shape) == 3 and 3 in shape):
        raise UsageError(
            f"{where} has a network for inputs of shape {_short(shape)}; only networks for RGB "
            "images, of 3 channels, can be used."
        )
    dtype = found.get("dtype")
    name = dtype.get("class_name") if isinstance(dtype, dict) else dtype
    if dtype is not None and name not in ("DTypePolicy", "float32", "float16", "bfloat16"):
        raise UsageError(
            f"{where} has a network of type {_short(name)}, such as quantized ones; only networks "
            "of floating-point weights can be used."
        )


def _short(value: Any) -> str:
    """Returns a value of a file for a message, on one line and not too long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
