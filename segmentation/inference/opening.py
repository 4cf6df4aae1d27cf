"""Find and load what a user calls a model."""

import re
from pathlib import Path

from segmentation.inference.exported import is_exported, load_exported
from segmentation.inference.pretrained import fetch_model
from segmentation.models import LoadedModel, load_model
from segmentation.models.shipped import locate

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
"""A model on the Hugging Face hub: the name of its owner, and its own."""


def open_model(path: Path) -> LoadedModel:
    """Load a model for inference, whatever holds it.

    Args:
        path: a run directory, a `.ckpt`, a model directory, or a file that export.py wrote; see
            `find_model`.

    Raises:
        ModelError: none of these, or not a model of this project.
    """
    return load_exported(path) if is_exported(path) else load_model(path)


def find_model(model: str | Path, revision: str | None = None) -> Path:
    """Return the path of what a user calls a model; one of the hub is downloaded.

    Args:
        model: a path, the name of a shipped model, or ``owner/name`` on the Hugging Face hub. What
            exists here, or lies in a folder that does, is never looked for on the hub.
        revision: a branch, tag or commit of the hub; None: its main branch.

    Raises:
        ModelError: the hub does not deliver it.
    """
    path = locate(model)
    if path.exists() or path.parent.exists() or not HUB_ID.fullmatch(str(model)):
        return path
    return fetch_model(str(model), revision)
