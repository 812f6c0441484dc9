"""Folders of images: which of them are splits, classes, or no data."""
