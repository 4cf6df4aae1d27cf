"""Find and load what a user calls a model."""

from pathlib import Path

from segmentation.models import LoadedModel, load_model


def open_model(model: str | Path) -> LoadedModel:
    """Load a model for inference, whatever holds it.

    Args:
        model: a run directory, a `.ckpt`, a model directory, or the name of a shipped model.

    Raises:
        ModelError: none of these, or not a model of this project.
    """
    return load_model(model)
