"""Cross-validation of a fit, and the fit on all images that follows it."""
