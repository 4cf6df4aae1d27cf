"""The command of a run as others may read and type it: without what is its machine's own."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from segmentation.cli.overrides import readable
from segmentation.console import quoted
from segmentation.system.redaction import last_component, redact

RUN = "<run>"
"""Replaces a run's directory."""
MAY_BE_RUNS = ("model.weights", "encoder.weights")
MAY_HOLD_SLASHES = ("encoder.name", "data.group")
OF_THE_MACHINE = re.compile(
    r"[+~]*(logger|hydra|launcher|sweep|wandb|resume|rerun|checkpoint_minutes|signals"
    r"|data\.(cache|workers|pairs)|trainer\.(accelerator|devices|num_nodes|strategy))\b.*"
)
"""Overrides of where and how a run is carried out, not of what it is."""


def public_command(overrides: Sequence[str], data: str) -> str:
    """Return the command of a run as it can be typed on other machines.

    Args:
        overrides: of the run.
        data: the name of its data, which replaces their folder.
    """
    shown = [
        _without_machine(word, data) for word in overrides if not OF_THE_MACHINE.fullmatch(word)
    ]
    shown.sort(key=lambda word: not word.startswith("experiment="))  # readers look for it
    return " ".join(["python train.py", *shown])


def _without_machine(override: str, data: str) -> str:
    """Return an override without folders of this machine."""
    key, _, text = override.partition("=")
    name = key.lstrip("+~")
    if name == "data.root":
        return _quoted(f"{key}=<{data}>")
    try:
        value = OverridesParser.create().parse_override(readable(override)).value()
    except HydraException:  # of an older version, which kept the words as they were typed
        value = text
    shown = _without_folders(name, value)
    if shown == RUN:
        return _quoted(f"{key}={RUN}")
    return shlex.quote(redact(override if shown == value else f"{key}={quoted(shown)}"))


def _quoted(placeholder: str) -> str:
    """Return a word that is to be replaced as it is, unless a shell would read more in it."""
    plain = re.fullmatch(r"[\w.+~/@-]+=<[\w.-]+>", placeholder)
    return placeholder if plain else shlex.quote(placeholder)


def _without_folders(name: str, value: Any) -> Any:
    """Reduce each path in a value to its last component, and a run's directory to `RUN`."""
    if isinstance(value, dict):
        return {key: _without_folders(f"{name}.{key}", child) for key, child in value.items()}
    if isinstance(value, list):
        return [_without_folders(name, child) for child in value]
    is_group = "." not in name
    if not isinstance(value, str) or name in MAY_HOLD_SLASHES or is_group:
        return value
    if name in MAY_BE_RUNS and re.search(r"[/\\]", value) and not Path(value).suffix:
        return RUN
    return last_component(value)
