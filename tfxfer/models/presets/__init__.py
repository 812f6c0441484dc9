"""Backbones of KerasHub: its presets, by handle or in a local directory."""
