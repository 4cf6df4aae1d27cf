"""The location of conf/, and plain values of a configuration."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from segmentation.errors import ConfigError

if TYPE_CHECKING:  # OmegaConf is imported where it is used: `Predictor` needs none of it
    from omegaconf import DictConfig


def user_path(text: object) -> Path:
    """Return the path that a user typed or wrote into a file of options, with `~` expanded.

    Raises:
        ConfigError: not a text, or it begins with the home directory of a user who has none.
    """
    if not isinstance(text, str | Path):
        raise ConfigError(
            f"expected a path, not {text!r}. In a file of options a name of digits needs quotes."
        )
    if text == "":  # as of data.root=$UNSET
        raise ConfigError("a path is empty: type one, and . for the working directory.")
    if not str(text).startswith("~"):  # as ./~name, which Path itself shortens
        return Path(text)
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{text}: {error} Type the whole path.") from error


def working_directory() -> Path:
    """Return the directory in which the command was typed.

    Raises:
        ConfigError: it has been removed, or Hydra would read its name as an interpolation.
    """
    try:
        directory = Path.cwd()
    except FileNotFoundError as error:
        raise ConfigError("the working directory has been removed: change to another.") from error
    if "${" in str(directory):
        raise ConfigError(f"{directory}: Hydra would resolve ${{...}} in its name: rename it.")
    return directory


def plain(cfg: "DictConfig") -> dict[str, Any]:
    """Return a part of the configuration as plain values, resolved."""
    from omegaconf import OmegaConf

    return cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))


_PACKAGE = Path(__file__).resolve().parent
CONF = next(path for path in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if path.is_dir())
"""The configuration files: inside an installed package, beside the package in a clone."""

PATHS = ("data.root", "data.pairs", "task.targets.file")
"""Options that are paths."""
PATHS_OR_NAMES = ("data.classes", "data.annotations", "model.weights", "encoder.weights")
"""Options that are a path or a word, such as the name of a table."""
NOT_KEPT = ("hydra", "resume", "rerun", "launcher", "sweep")
"""Sections on how a run is started, not on what it is."""


def task_overrides(hydra: Any) -> list[str]:
    """Return the overrides of a task as they were typed, interpolations not resolved.

    Args:
        hydra: the section of that name.
    """
    from omegaconf import OmegaConf

    return cast(list[str], OmegaConf.to_container(hydra.overrides.task))


def settings(cfg: "DictConfig") -> dict[str, Any]:
    """Return what determines a run: its configuration without `NOT_KEPT`, as plain values.

    Paths are absolute.
    """
    from omegaconf import OmegaConf

    part = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key not in NOT_KEPT])
    part._set_parent(cfg)  # for interpolations into the other sections
    return _with_absolute_paths(plain(part))


def _with_absolute_paths(values: dict[str, Any]) -> dict[str, Any]:
    """Make paths absolute: later steps read them from any working directory."""
    for key in (*PATHS, *PATHS_OR_NAMES):
        *parents, name = key.split(".")
        section = value_at(values, ".".join(parents))
        text = section.get(name) if isinstance(section, dict) else None
        if not text or not isinstance(text, str):
            continue
        path = user_path(text)
        if key in PATHS or (path.exists() and (os.sep in text or path.suffix)):
            section[name] = str(path.absolute())
    return values


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested values to dotted keys; an empty mapping is kept as a value."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            result |= flat(value, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = value
    return result


def differing_keys(mappings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys whose values not all mappings share; a missing value is None.

    Values are compared as they are printed: ``1`` differs from ``1.0``, NaN equals itself.
    """
    keys = dict.fromkeys(key for mapping in mappings for key in mapping)
    return [key for key in keys if len({repr(mapping.get(key)) for mapping in mappings}) > 1]


def value_at(values: Any, key: str) -> Any:
    """Return the value of a dotted key; None if there is none."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values
