"""The objective of a number for each image."""
