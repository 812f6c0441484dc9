"""How cross-validated heads are judged, on labels of any kind."""
