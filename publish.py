"""Write a model directory to give away: `python publish.py run=<run directory> output=<folder>`."""

from segmentation.__main__ import publish

if __name__ == "__main__":
    publish()
