"""Training by epochs: trainer, loop, callbacks, optimizers."""
