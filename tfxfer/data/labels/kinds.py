"""The kinds of labels in words: one class for each image, and the special ones."""

from tfxfer.data.labels.tasks import Tasks

# In one word, for sentences such as "the data are multi-label".
MULTI_LABEL, MULTI_TASK, NUMERIC = "multi-label", "multi-task", "numeric"

_WORDS = {
    "": "one class per image",
    MULTI_LABEL: "any number of labels per image",
    NUMERIC: "a number per image",
}


def in_words(special: str, tasks: Tasks | None) -> str:
    """Returns what labels an image has.

    Args:
        special: The kind in one word; empty where an image has one class.
        tasks: The tasks of which it has a class each; None if there are none.

    Examples:
        >>> in_words("numeric", None)
        'a number per image'
    """
    return _WORDS[special] if tasks is None else tasks.words
