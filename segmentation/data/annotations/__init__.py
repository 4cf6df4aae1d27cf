"""Annotation files (COCO, YOLO, LabelMe, ...) -> index masks, written once beside the cache.

One module for each format, which reads it into `Annotations`; `convert` turns those into masks.
Image masks in a known layout belong in `discovery/`.
"""
