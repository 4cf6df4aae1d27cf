"""Intervals, resampling and corrections over arrays of counts.

Nothing here knows of run directories.
"""
