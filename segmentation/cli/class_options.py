"""Accept options of configured classes that conf/ does not list, such as trainer.max_steps.

Hydra wants a ``+`` before a key that its configuration lacks, where people write an option of
Lightning as its documentation does. The signature of the class says which options there are.
"""

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from segmentation.cli.signatures import arguments_of
from segmentation.config import CONF
from segmentation.errors import ConfigError


def accept_class_options(words: Sequence[str], config_name: str) -> list[str]:
    """Return a command line with ``++`` before options that only a class's signature lists.

    Args:
        words: the command line without the command.
        config_name: the command.
    """
    try:
        overrides = _overrides(words)
        values = {word: override for word, override in overrides.items() if _is_value(override)}
        if not values:
            return list(words)
        choices = _group_choices(words, overrides, values)
        configs = [compose(groups, config_name) for groups in choices]
        if len(configs) > 1:  # Hydra composes a sweep first without the groups that are swept
            shared = [word for word in choices[0] if all(word in other for other in choices)]
            configs.insert(0, compose(shared, config_name))
        added = {word for word, item in values.items() if _is_added(configs, item.key_or_group)}
    except (HydraException, OmegaConfBaseException):
        return list(words)  # Hydra will report it
    return [f"++{word}" if word in added else word for word in words]


def compose(words: Sequence[str], config_name: str) -> DictConfig:
    """Compose the configuration of a command line without running it."""
    arguments = get_args_parser().parse_args(list(words))
    with hydra_of(arguments, config_name) as hydra:
        name = arguments.config_name or config_name
        return hydra.compose_config(name, arguments.overrides, RunMode.RUN)


@contextmanager
def hydra_of(arguments: Namespace, config_name: str) -> Iterator[Hydra]:
    """Let Hydra find the configuration files that a command line names."""
    search_path = create_config_search_path(str(Path(arguments.config_path or CONF).absolute()))
    if arguments.config_dir:
        folder = f"file://{Path(arguments.config_dir).absolute()}"
        search_path.prepend("command-line", folder, SearchPathQuery(provider="schema"))
    GlobalHydra.instance().clear()
    try:
        yield Hydra.create_main_hydra2(config_name, search_path)
    finally:
        GlobalHydra.instance().clear()


def _overrides(words: Sequence[str]) -> dict[str, Override]:
    """Parse the overrides of a command line."""
    given = set(get_args_parser().parse_args(list(words)).overrides)
    parser = OverridesParser.create()
    return {word: parser.parse_override(word) for word in words if word in given}


def _is_value(override: Override) -> bool:
    """Return whether an override sets a value of the command, without a prefix."""
    plain = override.type == OverrideType.CHANGE and not override.is_hydra_override()
    return plain and "." in override.key_or_group


def _group_choices(
    words: Sequence[str], overrides: Mapping[str, Override], values: Mapping[str, Override]
) -> list[list[str]]:
    """Return command lines without values, which together make every choice that matters.

    Of a group that is swept only those choices matter in which a value is set.
    """
    rest = [word for word in words if word not in values and word not in ("-m", "--multirun")]
    groups = {override.key_or_group.partition(".")[0] for override in values.values()}
    columns = []
    for word in rest:
        override = overrides.get(word)
        if override is None or not override.is_discrete_sweep():
            columns.append([word])
            continue
        key = override.get_key_element()
        choices = [f"{key}={value}" for value in override.sweep_string_iterator()]
        if not choices:
            raise ConfigError(f"{word} has no values, so the sweep would have no jobs.")
        columns.append(choices if override.key_or_group in groups else choices[:1])
    rows = max(map(len, columns), default=1)
    return [[column[row % len(column)] for column in columns] for row in range(rows)]


def _is_added(configs: Sequence[DictConfig], key: str) -> bool:
    """Return whether the first configuration lacks a key that one, or a class in it, has."""
    name, _, option = key.rpartition(".")
    parents = [OmegaConf.select(cfg, name, throw_on_missing=False) for cfg in configs]
    first, *others = [parent if isinstance(parent, DictConfig) else {} for parent in parents]
    if option in first:
        return False
    nodes = [first, *others]
    return any(option in node or option in arguments_of(node.get("_target_")) for node in nodes)
