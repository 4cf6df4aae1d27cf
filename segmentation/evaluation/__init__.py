"""Stored confusion matrices -> intervals and comparisons; nothing here needs a model."""
