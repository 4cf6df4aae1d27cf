"""The configuration of a sweep's job, composed once and the same in its child process."""

import os
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from segmentation.config import differing_keys, flat, settings, value_at
from segmentation.errors import ConfigError, listed
from segmentation.runs.directory import begun, read_settings
from segmentation.sweep.jobs.child import COMPOSED_VARIABLE
from segmentation.system.redaction import HIDDEN, redacted


def apply_composed(cfg: DictConfig) -> None:
    """Give a job's child the values that its sweep resolved, and check that all others agree.

    Interpolations (`${hydra:job.num}`, `${now:%H}`, `${oc.env:X}`) are resolved where the sweep
    composed the job; a job that resumes has those of its first start. Any other process keeps its
    configuration.

    Raises:
        ConfigError: the child has other values.
    """
    file = os.environ.get(COMPOSED_VARIABLE)
    if file is None:
        return
    resumed = begun(Path(file).parent)
    composed = read_settings(Path(file).parent) if resumed else _read(file)
    typed: Any = OmegaConf.to_container(cfg)
    for key, value in flat(typed).items():
        if "${" in str(value) and key.partition(".")[0] in composed:
            resolved = value_at(composed, key)
            if HIDDEN not in str(resolved):  # else it holds a secret, which no file keeps
                OmegaConf.update(cfg, key, _literal(resolved), merge=False)
    if resumed:  # by its own configuration, see `resolve_resume`
        return
    here, there = flat(redacted(settings(cfg))), flat(composed)
    if keys := differing_keys([here, there]):
        different = [f"{key}={there.get(key)} there, {here.get(key)} here" for key in keys]
        raise ConfigError(
            f"the sweep composed another configuration for this job: {listed(different)}. Give the "
            "sweep's command again if a file of options was changed meanwhile."
        )


def _read(file: str) -> Any:
    return OmegaConf.to_container(OmegaConf.load(file))


def _literal(value: Any) -> Any:
    """Escape what would be an interpolation in a value that has been resolved."""
    return value.replace("${", "\\${") if isinstance(value, str) else value
