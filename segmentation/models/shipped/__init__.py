"""The trained models that come with the project: a model directory for each name."""

from pathlib import Path

from segmentation.config import user_path

FOLDER = Path(__file__).parent


def shipped() -> list[str]:
    """List the names of the shipped models."""
    return sorted(path.parent.name for path in FOLDER.glob("*/config.json"))


def locate(model: str | Path) -> Path:
    """Resolve a path or the name of a shipped model to a path.

    Args:
        model: a path, which may start with ``~``, or a name. An existing path of the same name
            takes precedence; with ``./`` it is always a path.
    """
    path = user_path(model)
    return path if str(model) not in shipped() or path.exists() else FOLDER / path


def shipped_name(model: Path) -> str | None:
    """Return the name of a shipped model; None for any other.

    Args:
        model: a model directory, or a file in it.
    """
    directory = (model.parent if model.is_file() else model).resolve()
    return directory.name if directory.parent == FOLDER.resolve() else None
