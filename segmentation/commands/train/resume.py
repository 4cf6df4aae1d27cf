"""The configuration of a run that goes on with an earlier one, or repeats it."""

import logging
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from segmentation.config import NOT_KEPT, settings, value_at
from segmentation.console import argument
from segmentation.errors import ConfigError, listed
from segmentation.runs.directory import begun, read_settings

log = logging.getLogger(__name__)

MAY_CHANGE = (
    "trainer", "logger", "signals", "checkpoint_minutes",
    "data.root", "data.workers", "data.cache",
)  # fmt: skip
"""What a run may go on with otherwise than it began: how it is carried out, not what it is."""


def configured(cfg: DictConfig, directory: Path, first: bool = True) -> DictConfig:
    """Return what is to be trained: as typed, or as the run to go on with or to repeat has it.

    Args:
        cfg: the composed configuration.
        directory: the run directory that Hydra has made.
        first: this is the process that writes; others find what it has written.

    Raises:
        ConfigError: the directory holds a run and none is to be resumed; or something else was
            typed that cannot change.
    """
    if cfg.resume and cfg.rerun:
        raise ConfigError("resume= goes on with a run and rerun= repeats one: type one of them.")
    named = None if cfg.resume in (None, "auto") else Path(cfg.resume).expanduser()
    if named is not None and named.resolve() != directory.resolve():
        raise ConfigError("resume= says where the run is: leave hydra.run.dir= away.")
    if not cfg.resume and first and begun(directory):
        raise ConfigError(
            f"{directory} already holds a run. Go on with it: {argument('resume', directory)}; or "
            "choose another hydra.run.dir, or remove that one."
        )
    if cfg.rerun:
        earlier = Path(cfg.rerun).expanduser()
        if not begun(earlier):
            raise ConfigError(f"rerun={cfg.rerun}: there is no run in {earlier.absolute()}.")
        return _with_typed(cfg, read_settings(earlier), f"rerun={cfg.rerun}")
    if cfg.resume and begun(directory):  # resume=auto may have found nothing to go on with
        return _with_typed(cfg, read_settings(directory), f"resume={cfg.resume}")
    if cfg.resume:
        log.info("resume=auto: no unfinished run of this configuration, so a new one begins")
    return cfg


def _with_typed(cfg: DictConfig, kept: dict[str, Any], typed_as: str) -> DictConfig:
    """Return a kept configuration with what was typed besides and may be otherwise."""
    typed = settings(cfg)
    result = cast(DictConfig, OmegaConf.create(kept))
    if typed != kept:
        for key in _typed_keys():
            if key in NOT_KEPT:
                continue
            now, before = (value_at(one, key) for one in (typed, kept))
            if key != "experiment" and now == before:
                continue
            if not any(key == one or key.startswith(f"{one}.") for one in MAY_CHANGE):
                raise ConfigError(
                    f"{key} cannot be another with {typed_as}: that run says what it is. Leave "
                    f"{key}= away, or start a new run. What may change: "
                    f"{listed(MAY_CHANGE, len(MAY_CHANGE))}."
                )
            log.warning("%s: %s is %s now, and was %s", typed_as, key, now, before)
            OmegaConf.update(result, key, now, merge=False, force_add=True)
    for key in NOT_KEPT[1:]:
        result[key] = cfg.get(key)
    return result


def _typed_keys() -> list[str]:
    """Return the names of what was typed, groups and values alike."""
    overrides = OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task))
    return [override.key_or_group.replace("/", ".") for override in overrides]
