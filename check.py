"""Check a data set: `python check.py data=<option> data.root=<folder>`."""

from segmentation.__main__ import check

if __name__ == "__main__":
    check()
