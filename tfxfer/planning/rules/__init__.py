"""Rules that decide open settings from the data and the backbone."""
