"""A lock for the headers of NumPy's files, which may be read in several threads."""

import threading

# Held while a header is read. NumPy has Python parse it, which fails in several threads at once
# with "AST constructor recursion depth mismatch" before Python 3.11.5 (cpython#106905).
READING = threading.Lock()
