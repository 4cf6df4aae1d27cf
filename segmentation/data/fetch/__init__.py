"""Bring a public data set: ``python -m segmentation.data.fetch camvid`` (or ``cityscapes``)."""
