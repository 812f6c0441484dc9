"""What features say about the data of a fit, for its report: at most a second or two."""
