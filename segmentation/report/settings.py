"""Tables of configurations and environments, and of the differences between them."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.types import RunMode

from segmentation.config import CONF, differing_keys, flat, settings
from segmentation.report.table import DASH, Cell, Grid
from segmentation.runs.directory import begun, read_environment, read_settings
from segmentation.system.redaction import redact

NOT_SHOWN = ("command", "overrides")
"""Keys of an environment that the configuration tells better."""
EMPTY = ("null", "{}")
"""A missing value is null, and so is a group without entries."""


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Flatten nested values to YAML by dotted key; an empty mapping is ``{}``."""
    return {key: yaml_text(value) for key, value in flat(values).items()}


def yaml_text(value: Any) -> str:
    """Format a value as YAML on one line, without passwords."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
    return redact(text.removesuffix("...\n").strip())


@cache
def default_settings() -> dict[str, Any]:
    """Return the configuration of a training without any override.

    Hydra's own `compose` uses the global Hydra of the process, which belongs to the running
    command. `ConfigLoaderImpl`, which `compose` calls, leaves that alone.
    """
    loader = ConfigLoaderImpl(create_config_search_path(str(CONF)))
    return settings(loader.load_configuration("train", [], RunMode.RUN))


def kept_settings(run: Path | None) -> dict[str, Any] | None:
    """Return the configuration of a run, None if there is none."""
    return read_settings(run) if run is not None and begun(run) else None


def kept_facts(run: Path | None) -> dict[str, Any] | None:
    """Return the environment of a run, None if none was kept."""
    facts = None if run is None else read_environment(run)
    return facts and {key: value for key, value in facts.items() if key not in NOT_SHOWN}


def settings_grid(own: Mapping[str, Any]) -> tuple[Grid, Grid]:
    """Return the tables of what differs from the default, and of the whole configuration.

    A key that only one of them has differs too, unless its value is empty.
    """
    mine, default = texts(own), texts(default_settings())
    keys = [
        key
        for key in mine | default
        if key in mine.keys() & default.keys() or (mine | default)[key] not in EMPTY
    ]
    rows = [[key, mine.get(key, DASH), default.get(key, DASH)] for key in keys]
    heads = ["key", "this run", "default"]
    changed = [row for row in rows if row[1] != row[2]]
    everything = [[key, value, "differs" if value != usual else ""] for key, value, usual in rows]
    return (
        Grid("what differs from the default", heads, changed),
        Grid("the whole configuration", ["key", "value", "from the default"], everything),
    )


def differences_grid(known: Mapping[str, Mapping[str, Any] | None], name: str) -> Grid | None:
    """Return the table of keys whose values differ; None if fewer than two contenders are known.

    Args:
        known: configurations or environments by contender; None if not known.
        name: of the table.
    """
    columns = {who: texts(values) for who, values in known.items() if values is not None}
    if len(columns) < 2:
        return None
    rows: list[list[Cell | str]] = [
        [key, *(column.get(key, DASH) for column in columns.values())]
        for key in differing_keys(list(columns.values()))
    ]
    return Grid(name, ["key", *columns], rows)
