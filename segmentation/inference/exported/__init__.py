"""Exported files: opened in their own runtimes, and used like any other model."""

from segmentation.inference.exported.load import (
    ExportedModel,
    check_views,
    is_exported,
    load_exported,
)

__all__ = ["ExportedModel", "check_views", "is_exported", "load_exported"]
