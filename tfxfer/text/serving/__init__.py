"""The export of a classifier of texts, and its use."""
