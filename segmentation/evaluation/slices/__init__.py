"""Score groups of images that share an attribute.

Tables and pages are in `report/`.
"""
