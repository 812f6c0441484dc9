"""What a fit lets heads decide before it trains anything."""
