"""What pretrained features say about data: labels that look wrong, near copies, outliers, shift."""
