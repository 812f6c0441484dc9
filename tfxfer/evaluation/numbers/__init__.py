"""Metrics of a model that predicts a number."""
