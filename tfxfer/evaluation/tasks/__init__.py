"""Metrics of a classifier that gives an image a class of each of several tasks."""
