"""The backbones: one record each."""
