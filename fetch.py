"""Download a public data set: `python fetch.py {camvid,cityscapes}`."""

from segmentation.__main__ import fetch

if __name__ == "__main__":
    fetch()
