"""Where examples come from, and how they reach a model."""
