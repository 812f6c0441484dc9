"""The phases of a fit on texts, and the baseline beside it."""
