"""Uses a finished classifier."""
