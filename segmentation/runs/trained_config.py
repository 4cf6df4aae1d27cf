"""Read the configuration of a training: from its run directory, or from a checkpoint."""

from pathlib import Path
from typing import Any

from segmentation.errors import ModelError
from segmentation.models.weights_files import read_checkpoint
from segmentation.runs.directory import EXPORTED, checked_settings, read_settings, run_of


def trained_config(path: Path) -> dict[str, Any] | None:
    """Return the configuration that a model was trained with, as plain values.

    Args:
        path: a run directory, a `.ckpt`, a model directory, which knows its configuration only as
            long as it lies in its run directory, or an exported file, which never does.

    Raises:
        ModelError: the file cannot be read as a checkpoint of this project.
        DataError: the configuration is damaged.
    """
    if path.suffix in EXPORTED:
        return None
    if path.is_file():
        config = read_checkpoint(path).get("config")
        if not isinstance(config, dict) or not isinstance(config.get("data"), dict):
            raise ModelError(
                f"{path} is not a checkpoint of this project: it has no configuration."
            )
        return checked_settings(path, config, "Pass another checkpoint.")
    run = run_of(path)
    return None if run is None else read_settings(run)
