"""From arrays and facts to what a person reads."""
