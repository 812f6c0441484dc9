"""The order of an epoch, and the share of it that one of several processes reads."""
