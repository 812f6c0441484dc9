"""Files, devices, processes and streams."""
