"""The report of a classifier of several tasks."""
