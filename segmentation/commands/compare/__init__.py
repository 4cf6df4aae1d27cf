"""`compare.py`: select runs, compare them, write the comparison.

Its statistics are in `evaluation/`.
"""
