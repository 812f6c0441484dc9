"""Backbones, heads and what holds them together."""
