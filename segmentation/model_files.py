"""Find the files of a model: at a path, or by the name of one that comes with the project.

Nothing here imports torch: a wrong path is told at once.
"""

import re
from pathlib import Path

from segmentation.config import user_path
from segmentation.errors import ModelError, did_you_mean

SHIPPED = Path(__file__).parent / "models" / "shipped"
"""The trained models that come with the project: a model directory for each name."""
TENSORS = "model.safetensors"
PLACES = (TENSORS, "checkpoints/best.ckpt", f"model/{TENSORS}")
"""Where weights are in a model directory, a run directory, and a run without checkpoints."""
WANTED = "Give a run directory (such as runs/<name>), a .ckpt, or a model directory."
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
"""A model on the Hugging Face hub: the name of its owner, and its own."""
KINDS = ("auto", "imagenet", "none")
"""Values of `encoder.weights` besides a path."""


def shipped() -> list[str]:
    """List the names of the shipped models."""
    return sorted(path.parent.name for path in SHIPPED.glob("*/config.json"))


def locate(model: str | Path) -> Path:
    """Resolve a path or the name of a shipped model to a path.

    Args:
        model: a path, which may start with ``~``, or a name. An existing path of the same name
            takes precedence; with ``./`` it is always a path.
    """
    path = user_path(model)
    return path if str(model) not in shipped() or path.exists() else SHIPPED / path


def shipped_name(model: Path) -> str | None:
    """Return the name of a shipped model; None for any other.

    Args:
        model: a model directory, or a file in it.
    """
    directory = (model.parent if model.is_file() else model).resolve()
    return directory.name if directory.parent == SHIPPED.resolve() else None


def is_of_hub(model: str | Path) -> bool:
    """Return whether a model is called as one of the hub is, and nothing here may be meant."""
    path = locate(model)
    here = path.exists() or path.parent.exists()
    return not here and HUB_ID.fullmatch(str(model)) is not None


def existing_model(model: str | Path) -> Path:
    """Resolve a model as `locate` does, to a path that is there.

    Raises:
        ModelError: there is no such file or directory.
    """
    path = locate(model)
    if not path.exists():
        raise ModelError(
            f"{model}: no such file or directory. {WANTED} Models that come with the "
            f"project are loaded by name: {', '.join(shipped())}."
        )
    return path


def weights_file(path: Path) -> Path | None:
    """Find the weights file of a model or run directory; a file is returned itself."""
    if path.is_file():
        return path
    return next((path / place for place in PLACES if (path / place).is_file()), None)


def existing_weights(weights: str) -> Path:
    """Find the file that `encoder.weights` names, if it is none of `KINDS`.

    Raises:
        ModelError: there is none.
    """
    path = weights_file(locate(weights))
    if path is None:
        known = [*KINDS, *shipped()]
        raise ModelError(
            f"encoder.weights={weights} is not a file, a run or model directory, or one of "
            f"{', '.join(known)}.{did_you_mean(weights, known)}"
        )
    return path
