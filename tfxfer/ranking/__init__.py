"""Ranks backbones on a dataset without training any of them."""
