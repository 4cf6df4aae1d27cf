"""Before a sweep starts: what the launcher needs is there, or an error says what to type."""

import importlib
import os
import re
from typing import Any

from omegaconf import DictConfig, OmegaConf

from segmentation.errors import ConfigError, did_you_mean
from segmentation.sweep.jobs.allotment import allotment
from segmentation.sweep.jobs.job import DISPENSABLE

EXTRAS = {"joblib": "sweep", "submitit_local": "sweep", "submitit_slurm": "sweep", "ray": "ray"}
"""Hydra's name of a launcher -> the extra of this project that brings it."""


def missing_plugin(message: str) -> str | None:
    """Return what to type where Hydra says that a launcher is not there; None of other messages."""
    found = re.search(r"Could not (?:find|override) 'hydra/launcher(?:/|@)?(\w*)", message)
    extra = EXTRAS.get(found[1]) if found else None
    if found is None or extra is None:
        return None
    return f"hydra/launcher={found[1]} is not installed. Type pip install 'cityseg[{extra}]'."


def allotted(key: str, _root_: DictConfig) -> Any:
    """Return a value of the launcher with `auto` replaced (a resolver of conf/launcher/*.yaml)."""
    return getattr(allotment(_root_.launcher), key)


def prepare(config: DictConfig) -> None:
    """Check a sweep's options, and start Ray where it is wanted.

    Raises:
        ConfigError: an option that cannot be, or something that is not there.
    """
    if any(one.startswith(("resume=", "rerun=")) for one in config.hydra.overrides.task):
        raise ConfigError(
            "resume= and rerun= are for one run. A sweep goes on when the same command is given "
            "again with its directory: hydra.sweep.dir=<directory>."
        )
    keep = config.sweep.keep
    if keep not in DISPENSABLE:
        hint = did_you_mean(str(keep), DISPENSABLE)
        raise ConfigError(f"sweep.keep={keep}: use {', '.join(DISPENSABLE)}.{hint}")
    if config.launcher.name == "ray":
        _start_ray(config.hydra.launcher.ray.init)
    allotment(config.launcher)


def _start_ray(init: DictConfig) -> None:
    """Start Ray here, or join the cluster; the launcher then finds it running.

    Otherwise a job that asks for GPUs which are nowhere would wait for ever, in silence.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # else it writes into the home directory
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # and there, and to the network
    ray = importlib.import_module("ray")
    if ray.is_initialized():
        return
    try:
        ray.init(**OmegaConf.to_container(init, resolve=True))  # type: ignore[arg-type]
    except Exception as error:  # Ray raises just that where its processes do not come up in time
        raise ConfigError(
            f"Ray does not start: {str(error).splitlines()[0]} Its logs are below "
            "/tmp/ray/session_latest. On a machine that is very busy, try again; for a cluster "
            "type hydra.launcher.ray.init.address=auto on one of its machines."
        ) from error
