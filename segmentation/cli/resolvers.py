"""The interpolations that conf/ uses: run directories, a job's share of the machine."""

import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from segmentation.cli.messages import help_text
from segmentation.config import settings, task_overrides, user_path
from segmentation.errors import ConfigError, DataError
from segmentation.runs.directory import RUN_CONFIG, begun, finished, read_settings, working
from segmentation.sweep.jobs.names import job_name
from segmentation.system.ranks import external_world_size, launch_id, rank
from segmentation.system.redaction import redacted

log = logging.getLogger(__name__)

_chosen: dict[str, str] = {}


def register() -> None:
    """Make the resolvers known to OmegaConf."""
    resolvers: dict[str, Callable[..., Any]] = {
        "run_directory": run_directory,
        "job_name": lambda _root_: job_name(task_overrides(_root_.hydra)),
        "allotted": _allotted,
        "help_text": help_text,
        # Several ranks share a run directory, whose files rank zero writes.
        "log_file": lambda path: path if rank() == 0 else os.devnull,
    }
    for name, resolver in resolvers.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)
    # Runs that start in the same second still get directories of their own.
    OmegaConf.register_new_resolver(
        "unique", lambda: secrets.token_hex(2), use_cache=True, replace=True
    )


def _allotted(key: str, _root_: DictConfig) -> object:
    from segmentation.cli.sweep import launcher_share  # only sweeps need it

    return getattr(launcher_share(_root_.launcher), key)


def run_directory(folder: str, time: str, name: str, token: str, _root_: DictConfig) -> str:
    """Return the directory of a run (the resolver of hydra.run.dir).

    Args:
        folder: holds new runs.
        time: of the start.
        name: the run's data and encoder.
        token: distinguishes runs of one second.

    Raises:
        ConfigError: `resume` or `rerun` is not a run directory, or the ranks have no common name.
    """
    resume = _root_.get("resume")
    if resume not in (None, "auto"):
        return str(_resumed(resume))
    if rerun := _root_.get("rerun"):
        name = _rerun_name(rerun)
    if external_world_size() is not None:  # each rank resolves for itself
        return _shared_directory(Path(folder), name, resume == "auto", redacted(settings(_root_)))
    new = str(Path(folder) / f"{time}_{name}_{token}")
    if resume is None:
        return new
    if new not in _chosen:  # Hydra resolves it again while the run is at work
        _chosen[new] = str(_newest_unfinished(Path(folder), redacted(settings(_root_))) or new)
    return _chosen[new]


def _resumed(resume: str) -> Path:
    directory = user_path(resume)
    if (directory / "jobs.csv").is_file():
        raise ConfigError(
            f"resume={resume}: this is a sweep. Repeat its command with "
            f"hydra.sweep.dir={resume}: it runs what is missing."
        )
    if not begun(directory):
        raise ConfigError(
            f"resume={resume}: there is no run in {directory.absolute()} (no {RUN_CONFIG}). Pass a "
            "run directory, or resume=auto for the newest unfinished run."
        )
    return directory


def _rerun_name(rerun: str) -> str:
    earlier = user_path(rerun)
    if not begun(earlier):
        raise ConfigError(f"rerun={rerun}: there is no run in {earlier.absolute()}.")
    config = read_settings(earlier)
    return f"{config['data']['name']}_{config['encoder']['name']}_again"


def _shared_directory(folder: Path, name: str, resume: bool, config: dict[str, Any]) -> str:
    """Return a directory that each rank started by torchrun or srun finds by itself."""
    shared = launch_id()
    if shared is None:
        raise ConfigError(
            "torchrun on several machines: pass one directory that all processes share, as in "
            "hydra.run.dir=runs/<name>, or start torchrun with --rdzv-id=<name>."
        )
    directory = folder / f"{shared}_{name}"
    if not resume or begun(directory):
        return str(directory)
    # Whether a process works there is for rank zero to find out: to the others it always looks so.
    return str(_newest_unfinished(folder, config, idle=False) or directory)


def _newest_unfinished(folder: Path, config: dict[str, Any], idle: bool = True) -> Path | None:
    """Return the newest unfinished run of a configuration.

    Args:
        folder: holds runs.
        config: the configuration.
        idle: only runs that no process works on.
    """
    configs = [path for path in folder.glob(f"*/{RUN_CONFIG}") if not finished(path.parent)]
    for path in sorted(configs, key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            same = read_settings(path.parent) == config
        except DataError as error:
            log.warning("resume=auto passes over a run: %s", error)
            continue
        if same and not (idle and working(path.parent)):
            return path.parent
    return None
