"""The objective of ordered classes."""
