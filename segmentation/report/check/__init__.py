"""Show what the check of a data set found, as a page and on the terminal.

The check is in `data/check/`.
"""
