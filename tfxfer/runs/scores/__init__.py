"""Scores of a model on a split, as the files of a run hold them."""
