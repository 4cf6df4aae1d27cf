"""The trained models that come with the project, by name: a model directory each."""

from pathlib import Path

from segmentation.models.files import weights_file

FOLDER = Path(__file__).parent


def shipped() -> list[str]:
    """Return their names."""
    return sorted(path.parent.name for path in FOLDER.glob("*/config.json"))


def located(model: str | Path) -> Path:
    """Return where a model lies: a path as it is, unless it is a name of `shipped`.

    Args:
        model: a path, perhaps beginning with ``~``, or a name. A path of that name goes before it
            if a model lies there.
    """
    path = Path(model).expanduser()
    return path if str(path) not in shipped() or weights_file(path) else FOLDER / path


def shipped_name(model: Path) -> str | None:
    """Return the name of a model that comes with the project, None for any other.

    Args:
        model: its directory, or a file in it.
    """
    directory = (model.parent if model.is_file() else model).resolve()
    return directory.name if directory.parent == FOLDER.resolve() else None
