"""Download a public data set and verify it: `python fetch.py {camvid,cityscapes} [--to FOLDER]`."""

import sys

from segmentation.commands.fetch import main

if __name__ == "__main__":
    sys.exit(main())
