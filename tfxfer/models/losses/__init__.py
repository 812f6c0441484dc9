"""Losses: as Keras losses, as means over a split, and with their gradients."""
