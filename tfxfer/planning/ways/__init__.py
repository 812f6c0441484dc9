"""Ways to fine-tune, among which a search chooses."""
