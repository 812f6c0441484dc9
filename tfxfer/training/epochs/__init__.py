"""Trains a model for epochs."""
