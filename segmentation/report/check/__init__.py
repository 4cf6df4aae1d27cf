"""The result of a data set's check as a page, as JSON and on the terminal.

The check is in `data/check/`.
"""
