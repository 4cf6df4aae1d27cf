"""Exported files: opened in their own runtimes, and used like any other model."""

from segmentation.inference.exported.load import ExportedModel, is_exported, load_exported

__all__ = ["ExportedModel", "is_exported", "load_exported"]
