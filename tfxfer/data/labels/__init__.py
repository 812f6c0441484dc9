"""The labels of examples: one class of several for each, or any number of labels."""
