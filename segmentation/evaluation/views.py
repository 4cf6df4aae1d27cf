"""Views of scored images; see `segmentation.views`."""

from segmentation.views import View, read_views, write_views

__all__ = ["View", "read_views", "write_views"]
