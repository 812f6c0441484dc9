"""Settings: their schema, recipes, and paths."""
