"""Access to settings by their keys: fields, types and limits."""

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

from tfxfer.config.frame import as_size, sides
from tfxfer.errors import UsageError, did_you_mean

Record = TypeVar("Record")

# The limits of `setting`, in the words of messages.
_LIMITS = {"minimum": "at least", "maximum": "at most", "above": "above", "below": "below"}

_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def setting(
    default: Any,
    meaning: str,
    *,
    group: str = "",
    common: bool = False,
    unset: str = "",
    is_path: bool = False,
    is_size: bool = False,
    short: str | None = None,
    **limits: float,
) -> Any:
    """Returns a dataclass field with all that is known about a setting.

    Args:
        default: Its default. None leaves it open.
        meaning: What it does, with its unit where the name does not say it. Shown by `--help`.
        group: Heading under which `--help` shows it, one of `GROUPS` of `schema.py`. Settings
            inside a section take the group of the section.
        common: Whether `--help` shows it first, among the common options.
        unset: What None means, as "all". Without it, None is decided from the data.
        is_path: Whether `~` is expanded.
        is_size: Whether it is a size; see `frame`. The limits hold for height and width.
        short: A shorter name of its option.
        **limits: `minimum`, `maximum`, `above` or `below`. For a list they apply to each item.
    """
    known = {
        "meaning": meaning,
        "group": group,
        "common": common,
        "unset": unset,
        "is_path": is_path,
        "is_size": is_size,
        "short": short,
        "limits": {_LIMITS[name]: limit for name, limit in limits.items()},
    }
    return dataclasses.field(default=default, metadata=known)


def setting_field(record: Any, key: str) -> dataclasses.Field[Any]:
    """Returns the dataclass field behind a dotted key such as `head.epochs` of `FitConfig`."""
    *sections, name = key.split(".")
    for section in sections:
        record = fields_of(record)[section].type
    return fields_of(record)[name]


def option_of(key: str) -> str:
    """Returns the option of a setting: `--head-epochs` of `head.epochs`."""
    return "--" + key.replace(".", "-").replace("_", "-")


def setting_meaning(record: Any, key: str) -> str:
    """Returns what a setting does, as `--help` says it."""
    return str(setting_field(record, key).metadata["meaning"])


def setting_group(record: Any, key: str) -> str:
    """Returns the heading under which `--help` shows a setting."""
    return str(setting_field(record, key.split(".")[0]).metadata["group"])


def setting_keys(record: Any, prefix: str = "") -> Iterator[str]:
    """Yields the dotted key of every setting of a record such as `FitConfig`."""
    for name, field in fields_of(record).items():
        if dataclasses.is_dataclass(field.type):
            yield from setting_keys(field.type, f"{prefix}{name}.")
        else:
            yield prefix + name


def section_of(settings: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    """Returns the section of nested settings that a dotted key lies in, and its name there.

    Sections that are missing are created.

    Examples:
        >>> settings = {}
        >>> section, name = section_of(settings, "head.epochs")
        >>> section[name] = 3
        >>> settings
        {'head': {'epochs': 3}}
    """
    *sections, name = key.split(".")
    for section in sections:
        settings = settings.setdefault(section, {})
    return settings, name


def setting_types(record: Any, key: str) -> tuple[Any, ...]:
    """Returns the type of a setting, as `(int,)`, or all values of a Literal."""
    annotation = setting_field(record, key).type
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        annotation = next(part for part in typing.get_args(annotation) if part is not type(None))
    if typing.get_origin(annotation) is Literal:
        return typing.get_args(annotation)
    return (annotation,)


def fields_of(record: Any) -> dict[str, dataclasses.Field[Any]]:
    """Returns the fields of a record, or of its class, by name."""
    return {field.name: field for field in dataclasses.fields(record)}


def changed(record: Record, settings: Mapping[str, Any], origin: str = "") -> Record:
    """Returns a record with some settings changed; see `RunConfig.with_settings`."""
    where = f" in '{origin}'" if origin else ""
    try:
        return typing.cast(Record, _replaced(type(record), record, settings, "", where))
    except UsageError as error:
        if origin and origin not in str(error):
            raise UsageError(f"In '{origin}': {error}") from None
        raise


def _replaced(
    kind: type[Any], record: Any, settings: Mapping[str, Any], prefix: str, where: str
) -> Any:
    """Returns a record with the given values, those in sections included."""
    changes: dict[str, Any] = {}
    for name, value in settings.items():
        key = f"{prefix}{name}"
        field = fields_of(record).get(name)
        if field is None:
            raise UsageError(
                f"Unknown setting '{key}'{where}.{did_you_mean(key, setting_keys(kind))}"
            )
        if dataclasses.is_dataclass(field.type):
            if not isinstance(value, Mapping):
                raise UsageError(f"'{key}'{where} is a section, written [{key}], not a value.")
            changes[name] = _replaced(kind, getattr(record, name), value, f"{key}.", where)
        elif isinstance(value, Mapping):
            raise UsageError(f"'{key}'{where} is a setting, not a section.")
        else:
            changes[name] = _converted(kind, key, value)
    return dataclasses.replace(record, **changes)


def _converted(kind: type[Any], key: str, value: Any) -> Any:
    """Returns the value in the type of its field if that is exact: 1 as 1.0, a list as a tuple."""
    (allowed, *_) = setting_types(kind, key)
    if setting_field(kind, key).metadata.get("is_size"):
        return as_size(value)
    if allowed is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return tuple(value) if isinstance(value, list) else value


def check_value(record: type[Any], key: str, value: Any) -> None:
    """Raises a UsageError unless the value has the type of its field and is within its limits."""
    field = setting_field(record, key)
    allowed = setting_types(record, key)
    if value is None and field.default is None:
        return
    if isinstance(allowed[0], str):
        if value not in allowed:
            choices = ", ".join(f"'{word}'" for word in allowed)
            raise UsageError(
                f"Setting '{key}' is {value!r}; allowed are {choices}."
                f"{did_you_mean(str(value), allowed)}"
            )
        return
    numbers = value
    kind = allowed[0]
    if field.metadata.get("is_size"):
        _check_limits(key, value, field, _sides_of(key, value))
        return
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, tuple) or any(type(item) is not int for item in value):
            raise UsageError(f"Setting '{key}' is {value!r}; it must be a list of whole numbers.")
    elif type(value) is not kind:
        raise UsageError(f"Setting '{key}' is {value!r}; it must be {_KINDS[kind]}.")
    else:
        numbers = (value,)
    _check_limits(key, value, field, numbers)


def _sides_of(key: str, value: Any) -> tuple[int, int]:
    """Returns height and width of a size, or raises a UsageError if it is none."""
    try:
        if type(value) in (int, str):
            return sides(value)
    except ValueError:
        pass
    raise UsageError(
        f"Setting '{key}' is {value!r}; it must be the side of a square in pixels, such as 224, or "
        "height x width, such as '224x320'."
    )


def _check_limits(
    key: str, value: Any, field: dataclasses.Field[Any], numbers: Sequence[float]
) -> None:
    """Raises a UsageError unless all numbers of a value are within the limits of its field."""
    tests = {
        "at least": lambda number, limit: number >= limit,
        "at most": lambda number, limit: number <= limit,
        "above": lambda number, limit: number > limit,
        "below": lambda number, limit: number < limit,
    }
    for words, limit in field.metadata.get("limits", {}).items():
        if not all(tests[words](number, limit) for number in numbers):  # nan fails every one
            raise UsageError(f"Setting '{key}' is {value!r}; it must be {words} {limit}.")
