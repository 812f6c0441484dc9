"""Files that hold an array of any number of channels: NumPy's, and TIFF."""
