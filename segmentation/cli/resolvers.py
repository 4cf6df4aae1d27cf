"""The interpolations that conf/ uses: run directories, a job's share of the machine."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from segmentation.cli.messages import help_text
from segmentation.config import settings
from segmentation.errors import ConfigError
from segmentation.runs.directory import CONFIG, begun, finished, read_settings, working
from segmentation.sweep.jobs.names import job_name
from segmentation.system.ranks import external_world_size, launch_id, rank

_chosen: dict[str, str] = {}


def register() -> None:
    """Make the resolvers known to OmegaConf."""
    resolvers: dict[str, Callable[..., Any]] = {
        "run_directory": run_directory,
        "job_name": job_name,
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
    from segmentation.sweep.jobs.launchers import allotted  # only sweeps need it

    return allotted(key, _root_)


def run_directory(folder: str, time: str, what: str, token: str, _root_: DictConfig) -> str:
    """Return the directory of the run that a configuration means (the resolver of hydra.run.dir).

    Args:
        folder: where new runs go.
        time: of the start.
        what: is trained.
        token: tells runs of one second apart.

    Raises:
        ConfigError: `resume` is no run directory; or there is no name that all ranks would find.
    """
    resume = _root_.get("resume")
    if resume not in (None, "auto"):
        directory = Path(resume).expanduser()
        if (directory / "jobs.csv").is_file():
            raise ConfigError(
                f"resume={resume}: that is a sweep. Give its command again with "
                f"hydra.sweep.dir={resume}: it runs what is missing."
            )
        if not begun(directory):
            raise ConfigError(
                f"resume={resume}: there is no run in {directory.absolute()} (it would have a "
                f"{CONFIG}). Name a run directory, or type resume=auto for the newest one."
            )
        return str(directory)
    if rerun := _root_.get("rerun"):
        what = _what(Path(rerun).expanduser())
    if external_world_size() is not None:  # each rank asks for itself
        shared = launch_id()
        if shared is None:
            raise ConfigError(
                "torchrun on several machines: name one directory that all processes share, as in "
                "hydra.run.dir=runs/<name>, or start torchrun with --rdzv-id=<name>."
            )
        of_all = Path(folder) / f"{shared}_{what}"
        if resume is None or begun(of_all):
            return str(of_all)
        # Whether somebody works there is rank zero's to find out: it would look as if all did.
        return str(_newest_unfinished(Path(folder), settings(_root_), idle=False) or of_all)
    new = str(Path(folder) / f"{time}_{what}_{token}")
    if resume is None:
        return new
    if new not in _chosen:  # asked for again while the run is at work
        _chosen[new] = str(_newest_unfinished(Path(folder), settings(_root_)) or new)
    return _chosen[new]


def _what(earlier: Path) -> str:
    """Return what the repetition of a run trains, as names of directories have it."""
    if not begun(earlier):
        raise ConfigError(f"rerun={earlier}: there is no run in {earlier.absolute()}.")
    kept = read_settings(earlier)
    return f"{kept['data']['name']}_{kept['encoder']['name']}_again"


def _newest_unfinished(folder: Path, wanted: dict[str, Any], idle: bool = True) -> Path | None:
    """Return the newest run in a folder that has this configuration and has not ended.

    Args:
        idle: nobody is at work there.
    """
    configs = [path for path in folder.glob(f"*/{CONFIG}") if not finished(path.parent)]
    for path in sorted(configs, key=lambda path: path.stat().st_mtime, reverse=True):
        if read_settings(path.parent) == wanted and not (idle and working(path.parent)):
            return path.parent
    return None
