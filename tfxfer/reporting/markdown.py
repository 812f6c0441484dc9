"""Names and tables as Markdown, whatever is in the names."""

from collections.abc import Sequence

# Signs that mean something in Markdown or HTML, as entities.
_ENTITIES = {ord(sign): f"&#{ord(sign)};" for sign in "\\`*_{}[]<>|#&"}


def as_text(name: str) -> str:
    """Returns a name that stands for itself, also in the cell of a table: on one line."""
    readable = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return " ".join(readable.translate(_ENTITIES).split())


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table of names and numbers."""
    lines = [list(map(as_text, heads)), ["---"] * len(heads)]
    lines += [list(map(as_text, row)) for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
