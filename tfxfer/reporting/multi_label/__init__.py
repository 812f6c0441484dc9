"""The report of a classifier that gives an image any number of labels."""
