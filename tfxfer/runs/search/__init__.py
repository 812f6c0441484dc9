"""What a search leaves in a run: its trials, and its choice."""
