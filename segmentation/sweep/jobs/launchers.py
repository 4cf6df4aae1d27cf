"""Checks of a launcher before a sweep starts: an extra that is not installed, Ray."""

import importlib
import os
import re
from collections.abc import Mapping
from typing import Any

from segmentation.errors import ConfigError
from segmentation.system.packages import install_advice

EXTRAS = {"joblib": "sweep", "submitit_local": "sweep", "submitit_slurm": "sweep", "ray": "ray"}
"""The extra of this project that brings a launcher, by Hydra's name for it."""


def missing_plugin(message: str) -> str | None:
    """Return the advice on a message of Hydra that a launcher is missing; None for others."""
    match = re.search(r"Could not (?:find|override) 'hydra/launcher(?:/|@)?(\w*)", message)
    extra = EXTRAS.get(match[1]) if match else None
    if match is None or extra is None:
        return None
    return f"hydra/launcher={match[1]} is not installed. {install_advice(extra)}"


def start_ray(options: Mapping[str, Any]) -> None:
    """Start Ray here, or join the cluster; the launcher then finds it running.

    Otherwise a job that asks for GPUs which the cluster lacks would wait forever.

    Args:
        options: of `ray.init`.

    Raises:
        ConfigError: Ray does not start.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # else it writes into the home directory
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # and there, and to the network
    ray = importlib.import_module("ray")
    if ray.is_initialized():
        return
    try:
        ray.init(**options)
    except Exception as error:  # Ray raises just that if its processes don't come up in time
        raise ConfigError(
            f"Ray does not start: {str(error).splitlines()[0]} Its logs are below "
            "/tmp/ray/session_latest. On a machine that is very busy, try again; for a cluster "
            "type hydra.launcher.ray.init.address=auto on one of its machines."
        ) from error
