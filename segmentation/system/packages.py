"""Optional packages, each installed by an extra of this project."""

import importlib.util

from segmentation.errors import ConfigError


def require_package(package: str, option: str) -> None:
    """Check that the optional package of an option, and of the extra of its name, is installed.

    Raises:
        ConfigError: it is not.
    """
    if importlib.util.find_spec(package) is None:
        raise ConfigError(
            f"{option} needs {package}, which is not installed. Type pip install "
            f"'cityseg[{package}]'."
        )
