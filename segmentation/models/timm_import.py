"""Import timm without W&B, which timm imports where it is installed, for a summary unused here."""

import sys

_loaded = "wandb" in sys.modules
if not _loaded:
    sys.modules["wandb"] = None  # type: ignore[assignment]  # its import raises ImportError
try:
    import timm
    import timm.layers
    import timm.models
finally:
    if not _loaded:
        del sys.modules["wandb"]

__all__ = ["timm"]
