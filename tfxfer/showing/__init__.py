"""A local page on which a model answers, with what its answers need."""
