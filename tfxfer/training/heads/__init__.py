"""Heads that are fitted to features in memory."""
