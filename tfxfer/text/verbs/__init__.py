"""The verbs for texts, one file each, with the names that they have in `api`."""
