"""The version, which nothing need import the package for."""

__version__ = "0.1.0.dev0"
