"""The report of a model that predicts a number."""
