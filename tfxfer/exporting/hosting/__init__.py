"""Folders that run an export elsewhere: a Hugging Face Space, a container."""
