"""The SavedModel: what it computes, and how it is written."""
