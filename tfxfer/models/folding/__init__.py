"""BatchNorm in inference as part of the convolution before it."""
