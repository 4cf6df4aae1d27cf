"""Find and load what a user calls a model."""

from pathlib import Path

from segmentation.inference.exported import is_exported, load_exported
from segmentation.inference.pretrained import fetch_model
from segmentation.model_files import is_of_hub, locate
from segmentation.models import LoadedModel, load_model


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
    return fetch_model(str(model), revision) if is_of_hub(model) else locate(model)
