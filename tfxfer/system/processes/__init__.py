"""Several processes that train one model together, on one host or several, with JAX."""
