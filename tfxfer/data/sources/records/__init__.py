"""What the examples of TFRecord files say."""
