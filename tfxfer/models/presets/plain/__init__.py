"""Convolutional networks of timm that are built here: their fit needs no KerasHub."""
