"""Configurations and environments as rows of keys and values, and what differs in them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.types import RunMode

from segmentation.config import CONF, flat, settings
from segmentation.report.table import DASH, Cell, Grid
from segmentation.runs.directory import CONFIG
from segmentation.system.files import read_json
from segmentation.system.redaction import redact

NOT_SHOWN = ("command", "overrides")
"""Of an environment: how a run was started says its configuration better."""

NOTHING = ("null", "{}")

Flat = dict[str, str]


def texts(values: Mapping[str, Any]) -> Flat:
    """Return nested values by dotted keys, as text; an empty mapping is ``{}``."""
    return {key: said(value) for key, value in flat(values).items()}


def said(value: Any) -> str:
    """Return a value as YAML has it, on one line, without passwords."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
    return redact(text.removesuffix("...\n").strip())


def default_settings() -> dict[str, Any]:
    """Return what `python train.py` without any override trains with.

    Hydra's own `compose` works on the one global Hydra of a process, which belongs to the command
    that is running: `ConfigLoaderImpl` is what it calls, and leaves that alone.
    """
    loader = ConfigLoaderImpl(create_config_search_path(str(CONF)))
    return settings(loader.load_configuration("train", [], RunMode.RUN))


def kept_settings(run: Path | None) -> dict[str, Any] | None:
    """Return the configuration of a run, None where there is none."""
    path = None if run is None else run / CONFIG
    if path is None or not path.is_file():
        return None
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    return values if isinstance(values, dict) else None


def kept_facts(run: Path | None) -> dict[str, Any] | None:
    """Return the environment of a run, None where none was kept."""
    found = None if run is None else read_json(run / "environment.json")
    return None if found is None else {key: found[key] for key in found if key not in NOT_SHOWN}


def settings_grid(own: Mapping[str, Any]) -> tuple[Grid, Grid]:
    """Return what of a configuration differs from the default, and all of it.

    A key that only one of the two has differs too, unless its value is nothing.
    """
    mine, default = texts(own), texts(default_settings())
    # What is not there is null, and so is a group without entries.
    keys = [*mine, *(key for key in default if key not in mine and default[key] not in NOTHING)]
    keys = [key for key in keys if key in default or mine[key] not in NOTHING]
    rows = [[key, mine.get(key, DASH), default.get(key, DASH)] for key in keys]
    heads = ["key", "this run", "default"]
    changed = [row for row in rows if row[1] != row[2]]
    everything = [[key, value, "differs" if value != usual else ""] for key, value, usual in rows]
    return (
        Grid("what differs from the default", heads, changed),
        Grid("the whole configuration", ["key", "value", "from the default"], everything),
    )


def differing(known: Mapping[str, Mapping[str, Any] | None], name: str) -> Grid:
    """Return the rows in which configurations or environments are not all alike.

    Args:
        known: by who has them; None of one that has none.
        name: of the table.
    """
    rows = {who: texts(values) for who, values in known.items() if values is not None}
    keys = dict.fromkeys(key for one in rows.values() for key in one)
    lines: list[list[Cell | str]] = [
        [key, *(one.get(key, DASH) for one in rows.values())]
        for key in keys
        if len({one.get(key) for one in rows.values()}) > 1
    ]
    return Grid(name, ["key", *rows], lines)
