"""How long each part of a run takes, and what a process does when."""
