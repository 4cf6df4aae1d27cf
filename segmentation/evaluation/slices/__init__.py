"""Score the parts of a split that have something in common.

Their tables and pages are in `report/`.
"""
