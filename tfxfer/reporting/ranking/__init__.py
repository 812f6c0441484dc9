"""Rankings of backbones in HTML: a page of their own, and a section of a run's report."""
