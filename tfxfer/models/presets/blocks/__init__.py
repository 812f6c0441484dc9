"""Convolutional networks whose blocks are layers of KerasHub, opened into Keras' own layers."""
