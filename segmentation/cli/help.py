"""Answer `--help` from the template of Hydra's configuration.

Hydra itself looks for all groups of all plugins, whatever its template shows, which takes a second.
"""

import string
from argparse import Namespace
from collections.abc import Iterator, Mapping

from hydra._internal.hydra import Hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf


def help_of(hydra: Hydra, config_name: str, arguments: Namespace) -> str:
    """Return the help of a command, for its configuration as typed.

    Args:
        hydra: composes the configuration.
        config_name: the command.
        arguments: of the command line.
    """
    name = arguments.config_name or config_name
    cfg = hydra.compose_config(name, arguments.overrides, RunMode.RUN)
    HydraConfig.instance().set_config(cfg)
    template = string.Template(cfg.hydra.help.template)
    return template.substitute(Parts(hydra, cfg, arguments.resolve))


class Parts(Mapping[str, str]):
    """The parts of a template, made when it asks for them."""

    def __init__(self, hydra: Hydra, cfg: DictConfig, resolve: bool) -> None:
        self._hydra, self._cfg, self._resolve = hydra, cfg, resolve
        self._parts = {"APP_CONFIG_GROUPS": self._groups, "CONFIG": self._config}

    def __getitem__(self, name: str) -> str:
        return self._parts[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def _groups(self) -> str:
        loader = self._hydra.config_loader
        names = [name for name in loader.list_groups("") if name != "hydra"]
        groups = {name: loader.get_group_options(name, ObjectType.CONFIG) for name in names}
        lines = [f"{name}: {', '.join(sorted(options))}\n" for name, options in groups.items()]
        return "".join(sorted(lines))

    def _config(self) -> str:
        job = self._hydra.get_sanitized_cfg(self._cfg.copy(), "job")
        return OmegaConf.to_yaml(job, resolve=self._resolve)
