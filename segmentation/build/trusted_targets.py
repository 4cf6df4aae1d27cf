"""Classes that a saved configuration may name: a fixed list, and what the user's own files name."""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from segmentation.config import CONF
from segmentation.errors import ConfigError
from segmentation.runs.saved_config import TARGET

OPTIMIZER = re.compile(r"torch\.optim\.[A-Z]\w*")
"""Optimizers, of which conf/ names some."""
IN_YAML = re.compile(rf"""["']?{TARGET}["']?\s*:\s*["']?([\w.]+)""")


def check_targets(saved: Mapping[str, Any], typed: DictConfig, option: str) -> None:
    """Check that a saved configuration builds nothing that a stranger could have chosen.

    Args:
        saved: the configuration of the run to resume or repeat.
        typed: the configuration of this command; what it names is trusted, and so is what the files
            of its `--config-dir` and `hydra.searchpath` name.
        option: that names the run, for messages.

    Raises:
        ConfigError: a `_target_` of another kind.
    """
    trusted = [target for _, target in _targets(OmegaConf.to_container(typed), "")]
    unknown = [
        (key, target)
        for key, target in _targets(saved, "")
        if target not in trusted and not _is_ours(key.split(".")[0], target)
    ]
    if not unknown:
        return
    own = {target for folder in _own_folders() for target in _named_below(folder)}
    for key, target in unknown:
        if not isinstance(target, str) or target not in own:
            raise ConfigError(
                f"{option}: its {key} is {target!r}, which is not a class of this project. A run "
                "directory may be a stranger's, so nothing in it is executed. If the class is "
                "yours, pass the --config-dir whose files name it, or type the option again."
            )


def _targets(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Yield every target in a configuration with its dotted key."""
    if isinstance(node, Mapping):
        for name, child in node.items():
            path = f"{key}.{name}" if key else str(name)
            if name == TARGET:
                yield path, child
            yield from _targets(child, path)
    elif isinstance(node, list | tuple):
        for child in node:
            yield from _targets(child, key)


def _is_ours(section: str, target: Any) -> bool:
    """Return whether conf/ names a target in a section, or it is another optimizer."""
    if not isinstance(target, str):
        return False
    if section == "optimizer" and OPTIMIZER.fullmatch(target):
        return True
    return (CONF / section).is_dir() and target in _named_below(CONF / section)


def _named_below(folder: Traversable) -> set[str]:
    """Return the targets that the YAML files below a folder name."""
    names: set[str] = set()
    for path in folder.iterdir():
        if path.is_dir():
            names |= _named_below(path)
        elif path.name.endswith((".yaml", ".yml")):
            names |= set(IN_YAML.findall(path.read_bytes().decode(errors="replace")))
    return names


def _own_folders() -> Iterator[Traversable]:
    """Yield the folders of configuration files that were typed."""
    for source in HydraConfig.get().runtime.config_sources:
        if source.provider in ("hydra", "schema") or source.path == str(CONF):
            continue
        if source.schema == "pkg":
            yield files(source.path)
        elif source.schema == "file" and Path(source.path).is_dir():
            yield Path(source.path)
