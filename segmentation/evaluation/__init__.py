"""Compute intervals and verdicts from stored confusion matrices.

Nothing here needs a model or an image.
"""
