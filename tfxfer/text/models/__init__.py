"""The classifier of texts: vocabulary, backbones, and what is saved."""
