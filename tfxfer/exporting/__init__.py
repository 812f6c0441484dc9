"""From a classifier to what a server or another runtime loads."""
