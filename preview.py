"""Draw what an augmentation does: `python preview.py augment=<option>`."""

from segmentation.__main__ import preview

if __name__ == "__main__":
    preview()
