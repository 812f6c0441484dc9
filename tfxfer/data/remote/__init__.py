"""Data at URLs, such as s3://bucket/photos, read by fsspec."""
