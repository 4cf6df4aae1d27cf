"""Generated street scenes: the built-in data, and an example of the folder layout."""

from segmentation.streets.scene import draw_scene
from segmentation.streets.write import COUNTS, write_streets

__all__ = ["COUNTS", "draw_scene", "write_streets"]
