"""Texts: the second modality, from labeled texts to a served model."""
