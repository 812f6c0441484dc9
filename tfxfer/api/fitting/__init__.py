"""Parts of the verb `fit`."""
