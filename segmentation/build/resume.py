"""The configuration of a run that is resumed or repeated."""

import logging
import os
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from segmentation.build.trusted_targets import check_targets
from segmentation.build.typed_options import typed_keys
from segmentation.config import NOT_KEPT, settings, user_path, value_at
from segmentation.console import argument
from segmentation.data.images.image_format import MAX_PIXELS
from segmentation.errors import ConfigError, listed
from segmentation.loggers.mlflow_logger import TRACKING_URI
from segmentation.loggers.tensorboard_logger import DIRECTORY
from segmentation.runs.directory import RUN_CONFIG, begun, read_settings
from segmentation.system.redaction import redacted

log = logging.getLogger(__name__)

MAY_CHANGE = (
    "trainer",
    "logger",
    "signals",
    "checkpoint_minutes",
    "data.root",
    "data.workers",
    "data.cache",
)
"""Options that a resumed or repeated run may change: how it is carried out, not what it is."""


def resolve_resume(cfg: DictConfig, directory: Path, first: bool = True) -> DictConfig:
    """Return the configuration to train: as typed, or that of the run to resume or repeat.

    Args:
        cfg: the composed configuration.
        directory: the run directory that Hydra has made.
        first: this is rank zero, which writes the run's files; other ranks find them there.

    Raises:
        ConfigError: the directory holds a run and `resume` is not set, an option that determines
            the run was typed with another value, or the run names a class of a stranger.
    """
    if cfg.resume and cfg.rerun:
        raise ConfigError("resume= continues a run and rerun= repeats one: type one of them.")
    named = None if cfg.resume in (None, "auto") else user_path(cfg.resume)
    if named is not None and named.resolve() != directory.resolve():
        raise ConfigError("resume= names the run directory already: drop hydra.run.dir=.")
    if not cfg.resume and first and begun(directory):
        raise ConfigError(
            f"{directory} already holds a run. Resume it with {argument('resume', directory)}, "
            "choose another hydra.run.dir, or remove the directory."
        )

    if cfg.rerun:
        earlier = user_path(cfg.rerun)
        if not begun(earlier):
            raise ConfigError(f"rerun={cfg.rerun}: there is no run in {earlier.absolute()}.")
        return _with_typed(cfg, read_settings(earlier), f"rerun={cfg.rerun}")
    if cfg.resume and begun(directory):
        return _with_typed(cfg, read_settings(directory), f"resume={cfg.resume}")
    if cfg.resume:
        log.info("resume=auto: no unfinished run of this configuration, so a new one begins")
    return cfg


def _with_typed(cfg: DictConfig, saved: dict[str, Any], option: str) -> DictConfig:
    """Return a saved configuration with the overrides that may change applied to it."""
    check_targets(saved, cfg, option)
    typed, unredacted = redacted(settings(cfg)), settings(cfg)
    if missing := [key for key in typed if key not in saved]:
        raise ConfigError(
            f"{option}: its {RUN_CONFIG} has no {listed(missing)}: it is cut off, or of another "
            "version. Restore it from a copy."
        )
    result = cast(DictConfig, OmegaConf.create(saved))
    for key in typed_keys() if typed != saved else ():
        if key in NOT_KEPT:
            continue
        now, before = value_at(typed, key), value_at(saved, key)
        if key != "experiment" and now == before:
            if now != (secret := value_at(unredacted, key)):  # the run keeps no secrets
                OmegaConf.update(result, key, secret, merge=False)
            continue
        if not any(key == name or key.startswith(f"{name}.") for name in MAY_CHANGE):
            raise ConfigError(
                f"{key} can't change with {option}: it is part of what that run is. Omit {key}=, "
                f"or start a new run. May change: {listed(MAY_CHANGE, len(MAY_CHANGE))}."
            )
        log.warning("%s: %s is %s now, and was %s", option, key, now, before)
        OmegaConf.update(result, key, now, merge=False, force_add=True)
    for key in NOT_KEPT[1:]:
        result[key] = cfg.get(key)
    _check_recipients(result, typed, option)
    check_max_pixels(value_at(saved, MOST_PIXELS), value_at(typed, MOST_PIXELS), option)
    return result


MOST_PIXELS = "data.max_pixels"


def check_max_pixels(saved: Any, typed: Any, option: str) -> None:
    """Check that images above the default size are not read because a run directory says so.

    Args:
        saved: `data.max_pixels` there.
        typed: the same as it was typed, if it was.
        option: the run, for the message.

    Raises:
        ConfigError: the saved value is above the default, and was not typed.
    """
    if isinstance(saved, int) and saved > MAX_PIXELS and saved != typed:
        raise ConfigError(
            f"{option}: its {MOST_PIXELS}={saved} lets images take more memory than the default "
            f"({MAX_PIXELS}). A run directory may be a stranger's, so that has to be typed: "
            f"{argument(MOST_PIXELS, saved)}."
        )


RECIPIENTS = {
    "logger.wandb.entity": ("W&B", "WANDB_ENTITY"),
    "logger.mlflow.tracking_uri": ("MLflow", TRACKING_URI),
    "logger.tensorboard.directory": ("TensorBoard", DIRECTORY),
}
"""Options that say where a run is logged to, with the service and its environment variable."""


def _check_recipients(result: DictConfig, typed: dict[str, Any], option: str) -> None:
    """Check that a run is not logged to a place that only its own files name.

    Raises:
        ConfigError: it would be.
    """
    for key, (service, variable) in RECIPIENTS.items():
        recipient = OmegaConf.select(result, key)
        if recipient not in (None, value_at(typed, key), os.environ.get(variable)):
            raise ConfigError(
                f"{option}: its {service} runs go to {recipient!r}. A run directory may be a "
                f"stranger's, so that has to be typed: {argument(key, recipient)}, or "
                f"{argument(key, None)} for your own."
            )
