"""The demo of a model of texts: its answers, the words that they are made of, corrections."""
