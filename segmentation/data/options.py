"""Check the options of a data set that need neither its files nor torch."""

from pathlib import Path

from segmentation.errors import ConfigError, DataError

MODES = ("auto", "disk", "off")
ON_ERROR = ("stop", "skip")
AUTO_BATCH_SIZE = 8
"""The global batch of data.batch_size=auto, which goes in as many parts as the memory needs."""


def check_mode(mode: str | bool) -> str:
    """Return a mode of the cache, see `open_pairs`.

    Raises:
        ConfigError: an invalid mode.
    """
    mode = "off" if mode is False else mode  # which is how YAML reads off without quotes
    if mode not in MODES:
        gone = " (ram was removed: the system keeps a cache on disk in memory anyway)"
        raise ConfigError(
            f"invalid data.cache={mode!r}: use auto, disk or off{gone if mode == 'ram' else ''}."
        )
    return str(mode)


def check_on_error(on_error: str) -> None:
    """Check a value of `data.on_error`.

    Raises:
        ConfigError: none of `ON_ERROR`.
    """
    if on_error not in ON_ERROR:
        raise ConfigError(f"invalid data.on_error={on_error!r}: use data.on_error=stop or skip.")


def check_folder(root: Path) -> None:
    """Check that the folder of a data set is there.

    Raises:
        DataError: it is not.
    """
    if not root.is_dir():
        raise DataError(
            f"no folder {root}. Pass the data set's: data.root=<folder with images and masks>."
        )
