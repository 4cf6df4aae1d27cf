"""cityseg: UNets over timm encoders for semantic segmentation, trained, scored and compared."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("cityseg")
except PackageNotFoundError:  # run from a clone that is not installed
    __version__ = "unknown"
