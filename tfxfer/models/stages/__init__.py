"""Heads that read several stages of a backbone."""
