"""Predictions for many files: a job of shards, and what computes it."""
