"""The report and the model card of a classifier of texts."""
