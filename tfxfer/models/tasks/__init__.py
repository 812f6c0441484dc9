"""The objective of several tasks, and how their losses are weighted."""
