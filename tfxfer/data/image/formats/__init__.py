"""The formats of images: what is read of each, and how."""
