"""Compare runs: `python compare.py runs=[<run>,<run>]`."""

from segmentation.__main__ import compare

if __name__ == "__main__":
    compare()
