"""The phases of a fit, and pretraining."""
