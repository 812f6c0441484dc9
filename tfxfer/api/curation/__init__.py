"""Verbs that help to curate data."""
