"""Random changes to training images, and mixtures of two of them."""
