"""Where conf/ is, and the plain values of a configuration."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf


def plain(cfg: DictConfig) -> dict[str, Any]:
    """Return a part of the configuration as plain values, resolved."""
    return cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))


_PACKAGE = Path(__file__).resolve().parent
CONF = next(path for path in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if path.is_dir())
"""The configuration files: inside an installed package, beside the package in a clone."""

NOT_KEPT = ("hydra", "resume", "rerun", "launcher", "sweep")
"""What says how a run is started, not what it is."""


def settings(cfg: DictConfig) -> dict[str, Any]:
    """Return what a run is: its configuration without what says how it is started."""
    kept = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key not in NOT_KEPT])
    kept._set_parent(cfg)  # for interpolations into what is left out
    return cast(dict[str, Any], OmegaConf.to_container(kept, resolve=True))


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values by dotted keys; an empty mapping stays one."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def value_at(values: Any, key: str) -> Any:
    """Return the value that a dotted key leads to, None where it leads nowhere."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values
