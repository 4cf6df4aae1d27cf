"""Decide what the values of masks mean, and decode them to labels.

Files are found in `discovery/`.
"""
