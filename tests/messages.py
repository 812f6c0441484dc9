"""What a message must contain, without its wording."""

import re


def parts(text: str) -> str:
    """Returns a pattern for messages with the parts of a text, separated by " ... ", in order."""
    return "(?s)" + ".*".join(re.escape(part) for part in text.split(" ... "))
