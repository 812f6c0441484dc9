"""A strict reader of pickles: the few operations that weights files need, and nothing else.

Python's own unpickler imports what a pickle names and calls it, and a few bytes make it allocate
gigabytes. Here every operation and every name that is not known is refused, and what is built takes
memory in proportion to the length of the pickle.
"""

import io
import pickletools
from collections.abc import Callable, Mapping
from typing import Any

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}

# Operations whose argument is the value.
_LITERALS = {"BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1"}

_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class PickleError(Exception):
    """Why a pickle is refused."""


def shown(text: str) -> str:
    """Returns a text of a file for an error message: quoted, short, without control characters."""
    return repr(text if len(text) <= 80 else f"{text[:80]}...")


def read_pickle(
    stream: io.BytesIO,
    known: Mapping[str, Any],
    read_persistent: Callable[[Any], Any],
) -> Any:
    """Returns the value of the pickle at the stream's position, and moves behind it.

    The value consists of texts, integers, booleans, None, tuples, lists, dictionaries with texts as
    keys, and what `known` and `read_persistent` give. It may contain itself.

    Args:
        stream: The file, or its beginning.
        known: What each allowed name, such as "collections.OrderedDict", stands for. A pickle may
            call functions among them.
        read_persistent: Returns what a persistent id, which is a value of the pickle, stands for.

    Raises:
        PickleError: The pickle is truncated or corrupt, or it needs something else.
    """
    machine = _Machine(known, read_persistent)
    try:
        for operation, argument, _ in pickletools.genops(stream):
            machine.run(operation.name, argument)
        return machine.stack.pop()
    except (ValueError, IndexError):  # of `genops`, and of a stack that is empty
        raise PickleError("it is truncated or corrupt") from None


class _Machine:
    """The stack on which a pickle builds its value."""

    def __init__(self, known: Mapping[str, Any], read_persistent: Callable[[Any], Any]) -> None:
        self._known = known
        self._read_persistent = read_persistent
        self.stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, name: str, argument: Any) -> None:
        """Carries out one operation, by its name in `pickletools`."""
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            self.stack.append(tuple(self._popped(len(self.stack) - _TUPLES[name])))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            if argument not in self._memo:
                raise PickleError("it is truncated or corrupt")
            self.stack.append(self._memo[argument])
        else:
            self._build(name, argument)

    def _build(self, name: str, argument: Any) -> None:
        match name:
            case "PROTO" | "STOP":
                pass
            case "MARK":
                self._marks.append(len(self.stack))
            case "TUPLE":
                self.stack.append(tuple(self._marked()))
            case "EMPTY_LIST":
                self.stack.append([])
            case "EMPTY_DICT":
                self.stack.append({})
            case "APPEND":
                self._extend([self.stack.pop()])
            case "APPENDS":
                self._extend(self._marked())
            case "SETITEM":
                self._update(self._popped(len(self.stack) - 2))
            case "SETITEMS":
                self._update(self._marked())
            case "BUILD":  # attributes of a dictionary, such as the versions of layers
                self.stack.pop()
                self._dictionary()
            case "GLOBAL":
                self.stack.append(self._named(argument))
            case "REDUCE":
                self._call()
            case "BINPERSID":
                self.stack.append(self._read_persistent(self.stack.pop()))
            case _:
                raise PickleError(f"it uses the pickle operation {name}, which weights do not need")

    def _popped(self, start: int) -> list[Any]:
        """Removes and returns the values from a place of the stack on."""
        if not 0 <= start <= len(self.stack):
            raise PickleError("it is truncated or corrupt")
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def _marked(self) -> list[Any]:
        return self._popped(self._marks.pop())

    def _dictionary(self) -> dict[str, Any]:
        if not isinstance(self.stack[-1], dict):
            raise PickleError("it sets items or attributes of something that is not a dictionary")
        return self.stack[-1]

    def _update(self, items: list[Any]) -> None:
        keys, values = items[::2], items[1::2]
        # Texts only: the hash of a deeply nested tuple would overflow the stack.
        if len(keys) != len(values) or not all(isinstance(key, str) for key in keys):
            raise PickleError("a key of a dictionary is not a string")
        self._dictionary().update(zip(keys, values, strict=True))

    def _extend(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise PickleError("it appends to something that is not a list")
        self.stack[-1].extend(items)

    def _named(self, argument: str) -> Any:
        name = argument.replace(" ", ".", 1)
        if name not in self._known:
            raise PickleError(
                f"it names {shown(name)}; the state dict of a float32 network needs only "
                f"{', '.join(self._known)}. Nothing in the file was run"
            )
        return self._known[name]

    def _call(self) -> None:
        function, arguments = self._popped(len(self.stack) - 2)
        if not callable(function) or not isinstance(arguments, tuple):
            raise PickleError("it calls something that is not a function")
        self.stack.append(function(*arguments))
