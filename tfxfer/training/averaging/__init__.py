"""Averages of trained weights, each kept only if validation is the better for it."""
