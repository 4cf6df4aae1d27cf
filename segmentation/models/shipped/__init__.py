"""The trained models that come with the project, by name: a model directory each."""

from pathlib import Path

FOLDER = Path(__file__).parent


def shipped() -> list[str]:
    """Return their names."""
    return sorted(path.parent.name for path in FOLDER.glob("*/config.json"))


def located(model: str | Path) -> Path:
    """Return where a model lies: a path as it is, unless it is a name of `shipped`.

    Args:
        model: a path, perhaps beginning with ``~``, or a name. What lies here under that name goes
            before it; with ``./`` it is a path in any case.
    """
    path = Path(model).expanduser()
    return path if str(model) not in shipped() or path.exists() else FOLDER / path


def shipped_name(model: Path) -> str | None:
    """Return the name of a model that comes with the project, None for any other.

    Args:
        model: its directory, or a file in it.
    """
    directory = (model.parent if model.is_file() else model).resolve()
    return directory.name if directory.parent == FOLDER.resolve() else None
