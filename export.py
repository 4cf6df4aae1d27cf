"""Export a model for other runtimes: `python export.py model=<model> output=<folder>`."""

from segmentation.__main__ import export

if __name__ == "__main__":
    export()
