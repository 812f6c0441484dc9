"""What the features say about the data of a run, as a section of its report."""
