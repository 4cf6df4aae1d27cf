"""Say what to type instead of an option that the configuration lacks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf

from segmentation.cli.signatures import arguments_of
from segmentation.config import CONF, task_overrides
from segmentation.console import argument, typed
from segmentation.errors import ConfigError, SegmentationError, did_you_mean


def unknown_group_option(group: str, name: str) -> str:
    """Return the message for a name that no file of a group has."""
    known = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    hint = did_you_mean(name, known)
    return f"{group} has no option {name!r}.{hint}\nOptions: {', '.join(known)}"


def unknown_key(name: str, config_name: str) -> str:
    """Return the message for a key: the group's file that has it, else the closest keys."""
    group = name.partition(".")[0]
    files = sorted((CONF / group).glob("*.yaml"))
    if owners := [f"{group}={path.stem}" for path in files if _has(path, name)]:
        return (
            f"{name} is an option of {' or '.join(owners)}, which is not chosen. "
            f"Also type {owners[0]}."
        )
    keys = _keys(default_config(config_name))
    by_last_part = {key.rsplit(".", 1)[-1]: key for key in keys}
    hint = did_you_mean(name, keys) or did_you_mean(name.rsplit(".", 1)[-1], by_last_part)
    return f"there is no option {name!r}.{hint}\n`{typed(config_name)} --cfg job` lists all."


@contextmanager
def explaining_lost_options(config_name: str) -> Iterator[None]:
    """Explain an error that a typed override caused by removing an option or a section of them.

    Hydra obeys ``~seed`` and ``loss.terms=null``, and a command then lacks what it needs.

    Raises:
        ConfigError: in place of the error.
    """
    try:
        yield
    except SegmentationError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        if message := _lost_option(task_overrides(HydraConfig.get()), config_name):
            raise ConfigError(message) from error
        raise


def _lost_option(overrides: Sequence[str], config_name: str) -> str | None:
    """Return the message for an override that removed what the configuration had; None for none."""
    loader = GlobalHydra.instance().config_loader()
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    values = [item for item in parsed if not loader.get_group_options(item.key_or_group)]
    groups = [item.input_line or "" for item in parsed if item not in values]
    before = loader.load_configuration(config_name, groups, RunMode.RUN)
    for item in values:
        key = item.key_or_group
        earlier = OmegaConf.select(before, key, throw_on_missing=False)
        if item.is_delete() and earlier is not None:
            return f"~{key}: {config_name} needs this option. Set it, as in {key}=<value>."
        for kind, plain, name in ((DictConfig, dict, "mapping"), (ListConfig, list, "list")):
            if isinstance(earlier, kind) and not isinstance(item.value(), plain):
                example = argument(key, OmegaConf.to_container(earlier))
                return f"{item.input_line}: expected a {name}, such as {example}."
    return None


def default_config(config_name: str) -> DictConfig:
    """Compose the configuration of a command without any override."""
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(config_name)


def _has(path: Path, key: str) -> bool:
    """Return whether a file of a group has a key, or a class that has it as an option."""
    node = OmegaConf.load(path)
    assert isinstance(node, DictConfig)
    if "@package _global_" not in path.read_text(encoding="utf-8"):
        key = key.partition(".")[2]
    return key in _keys(node)


def _keys(node: DictConfig, prefix: str = "") -> list[str]:
    """Return the dotted names of every key below a node, and of its classes' other options."""
    names = []
    for key in node:
        child = node._get_node(key)
        if key == "_target_":
            names += [f"{prefix}{name}" for name in arguments_of(node[key]) if name not in node]
            continue
        names.append(f"{prefix}{key!s}")
        if isinstance(child, DictConfig) and not child._is_none():
            names += _keys(child, f"{prefix}{key!s}.")
    return names
