"""Libraries of datasets, TFDS and Hugging Face: what is common to all that they hold."""
