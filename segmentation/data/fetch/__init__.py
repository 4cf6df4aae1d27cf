"""Bring a public data set: ``python fetch.py camvid`` (or ``cityscapes``)."""
