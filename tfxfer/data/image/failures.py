"""TensorFlow's errors on unreadable images, and their reasons in plain words."""

import re

import tensorflow as tf

# What TensorFlow raises where a file cannot be read; the second, where the file's name is no UTF-8.
READ_ERRORS = (tf.errors.OpError, UnicodeDecodeError)


def readable_reason(error: tf.errors.OpError | UnicodeDecodeError) -> str:
    """Returns why an image is unreadable, without the operation's name and location in the code."""
    if isinstance(error, tf.errors.NotFoundError):
        return "there is no such file"
    if isinstance(error, tf.errors.PermissionDeniedError):
        return "permission denied"
    if isinstance(error, UnicodeDecodeError):
        message = error.object.decode("utf-8", "replace")
    else:
        message = error.message
    message = message.strip().splitlines()[0] if message.strip() else str(error)
    # Inside tf.data the place comes first, of which there may be several.
    message = re.sub(r"^.*transformation with iterator: \S+: ", "", message)
    message = re.sub(r"\s*\[\[\{\{.*|\s*\[Op:.*", "", message)
    message = re.sub(r"^.*\}\}\s*", "", message)
    # What Python raises in a graph has its type before the reason.
    message = message.removeprefix("InvalidArgumentError: ")
    if message.endswith("Is a directory"):
        return "it is a folder"
    if message.endswith("No such file or directory"):
        return "there is no such file"
    return re.sub(r"^assertion failed: \[(.*)\]$", r"\1", message).rstrip(".")
