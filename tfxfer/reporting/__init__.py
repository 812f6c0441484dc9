"""Reports, charts and model cards, from arrays and records."""
