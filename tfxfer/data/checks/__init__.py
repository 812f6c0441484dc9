"""What a check finds in data before time is spent on them."""
