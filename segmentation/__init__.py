"""cityseg: UNets over timm encoders for semantic segmentation, trained, scored and compared."""

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segmentation.inference.predictor import Predictor

__all__ = ["Predictor", "__version__"]

try:
    __version__ = version("cityseg")
except PackageNotFoundError:  # run from a clone that is not installed
    _project = Path(__file__).resolve().parent.parent / "pyproject.toml"
    __version__ = tomllib.loads(_project.read_text(encoding="utf-8"))["project"]["version"]


def __getattr__(name: str) -> Any:
    """Import `Predictor` on first use: it brings torch, and `--help` need not wait for that."""
    if name != "Predictor":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from segmentation.inference.predictor import Predictor

    return Predictor
