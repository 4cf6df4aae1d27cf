"""The run directory: what a run keeps, read and written.

The contract between training and all that comes after.
"""
