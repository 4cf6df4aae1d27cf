"""Intervals, resampling and corrections over arrays of counts; no run directories."""
