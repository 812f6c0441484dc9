"""The plan of a fit on texts."""
