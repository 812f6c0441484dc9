"""The demo of a model of images: its answers, examples, near images and corrections."""
