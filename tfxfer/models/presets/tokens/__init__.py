"""Vision transformers of KerasHub: ViT and DINOv2, as networks of Keras' own layers."""
