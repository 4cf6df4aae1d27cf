"""The trained models that come with the project, by name."""

from pathlib import Path

FOLDER = Path(__file__).parent / "shipped"


def shipped() -> list[str]:
    """Return their names."""
    return sorted(path.parent.name for path in FOLDER.glob("*/config.json"))


def located(model: str | Path) -> Path:
    """Return where a model lies: a path as it is, unless it is a name and nothing lies there.

    Args:
        model: a path, perhaps beginning with ``~``, or a name of `shipped`.
    """
    path = Path(model).expanduser()
    return FOLDER / path if not path.exists() and str(path) in shipped() else path
