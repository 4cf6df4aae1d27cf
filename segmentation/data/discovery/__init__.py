"""Find a data set's images and masks, its splits, and scan every file.

What masks mean is decided in `masks/`; no batches, no random numbers.
"""
