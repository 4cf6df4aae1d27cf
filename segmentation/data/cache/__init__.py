"""Keep decoded images and masks on disk between runs.

What is decoded is decided in `discovery/`.
"""
