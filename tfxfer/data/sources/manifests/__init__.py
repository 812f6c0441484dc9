"""Manifests: tables, CSV or JSON Lines, of images with their labels."""
