"""Escaped names, and tables, in Markdown."""

from collections.abc import Sequence

# Characters with a meaning in Markdown or HTML, as entities.
_ENTITIES = {ord(sign): f"&#{ord(sign)};" for sign in "\\`*_{}[]<>|#&"}


def as_text(name: str) -> str:
    """Returns a name with special characters escaped, on one line.

    Examples:
        >>> as_text("a|b")
        'a&#124;b'
    """
    readable = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return " ".join(readable.translate(_ENTITIES).split())


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table; all cells are escaped.

    Examples:
        >>> print(table(["class", "images"], [["cat", "3"]]))
        | class | images |
        | --- | --- |
        | cat | 3 |
    """
    lines = [list(map(as_text, heads)), ["---"] * len(heads)]
    lines += [list(map(as_text, row)) for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
