"""A sweep as Hydra starts it: its hook, the jobs that it composes, and the end of the command."""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from segmentation.config import CONF, settings, task_overrides
from segmentation.console import show_error, show_trace
from segmentation.errors import ConfigError, SegmentationError, check_flag, did_you_mean
from segmentation.sweep.jobs.allotment import Allotment, allotment
from segmentation.sweep.jobs.directories import claim_directory, noted_directories
from segmentation.sweep.jobs.job import DISPENSABLE, Job, become_worker, run_job
from segmentation.sweep.jobs.launchers import start_ray
from segmentation.sweep.jobs.names import job_name, job_overrides

if TYPE_CHECKING:  # the workers of a launcher import this module, and should be ready at once
    from segmentation.sweep.monitor import Monitor

OF_THE_SWEEP = re.compile(r"[+~]*hydra[./](sweep|sweeper|launcher|run|mode)(?=[.=/@]|$)")
"""Overrides of Hydra that say how a sweep runs its jobs."""

# Not of the callback, which is sent to the launchers' workers, as a thread cannot be.
_monitors: list["Monitor"] = []


class SweepCallback(Callback):
    """Monitors a sweep from its start."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the sweep's options, and start to monitor its directory.

        Hydra would turn an Exception into a warning, and sweep all the same.
        """
        from segmentation.cli.check_jobs import check_jobs
        from segmentation.cli.command import warn_of_chdir
        from segmentation.runs.directory import finished
        from segmentation.sweep.monitor import Monitor

        try:
            warn_of_chdir(config.hydra)
            check_sweep(config)
            planned = planned_jobs(config)
            sweep = Path.cwd() / config.hydra.sweep.dir
            noted = noted_directories(sweep)
            left = {
                number: words
                for number, (name, words) in enumerate((planned or {}).items())
                if not finished(sweep / noted.get(name, name))
            }
            check_jobs(config, left)
            monitor = Monitor(sweep, planned)
            monitor.start()
        except SegmentationError as error:
            show_error(error)
            sys.exit(error.exit_code)
        except Exception as error:
            show_trace(type(error), error, error.__traceback__)
            sys.exit(1)
        _monitors.append(monitor)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Drop a job's configuration, which Hydra's launchers would keep for every job."""
        job_return.cfg = job_return.hydra_cfg = None


def end_sweep(code: int) -> tuple[int, dict[str, Any] | None]:
    """End the sweep, if this command was one; `code` is the exit code so far.

    Returns:
        The exit code, and the directory and jobs of the sweep for `--json`; None if there was none.
    """
    if not _monitors:
        return code, None
    from segmentation.sweep.table import to_json

    monitor = _monitors.pop()
    code = monitor.end(code)
    return code, {"directory": monitor.sweep, **to_json(monitor.jobs)}


def check_sweep(config: DictConfig) -> None:
    """Check a sweep's options, and start Ray if it is the launcher.

    Raises:
        ConfigError: an invalid option, or more GPUs than there are.
    """
    if any(word.startswith(("resume=", "rerun=")) for word in task_overrides(config.hydra)):
        raise ConfigError(
            "resume= and rerun= are for a single run. A sweep resumes if the same command is given "
            "again with its directory: hydra.sweep.dir=<directory>."
        )
    if os.environ.get("WANDB_RUN_ID") and "wandb" in (config.get("logger") or {}):
        raise ConfigError(
            "WANDB_RUN_ID is set, so every job of the sweep would be the same W&B run. Unset it."
        )
    for key in ("retry", "fail_fast"):
        check_flag(f"sweep.{key}", config.sweep[key])
    keep = config.sweep.keep
    if keep not in DISPENSABLE:
        hint = did_you_mean(str(keep), DISPENSABLE)
        raise ConfigError(f"sweep.keep={keep}: use {', '.join(DISPENSABLE)}.{hint}")
    if config.launcher.name == "ray":
        init = OmegaConf.to_container(config.hydra.launcher.ray.init, resolve=True)
        start_ray(cast(dict[str, Any], init))
    launcher_share(config.launcher)


def launcher_share(launcher: DictConfig) -> Allotment:
    """Return the share of the machine for each job of a launcher, see conf/launcher."""
    return allotment(launcher.name, launcher.jobs, launcher.gpus_per_job, launcher.cpus_per_job)


def planned_jobs(config: DictConfig) -> dict[str, list[str]] | None:
    """Return the overrides of a grid's jobs by name; None for a search."""
    sweeper = config.hydra.sweeper
    if not sweeper._target_.endswith(f".{BasicSweeper.__name__}"):
        return None
    params = [f"{key}={value}" for key, value in (sweeper.params or {}).items()]
    loader = GlobalHydra.instance().config_loader()
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(
        [*params, *task_overrides(config.hydra)]
    )
    (jobs,) = BasicSweeper.split_arguments(parsed, None)
    if not jobs:
        raise ConfigError("the sweep has no jobs: an option has no values, as range(0,0) has none.")
    return {job_name(overrides): job_overrides(overrides) for overrides in jobs}


def run_composed_job(cfg: DictConfig, start: list[str], cwd: Path) -> float | None:
    """Run the job that Hydra has composed, see `run_job`.

    Args:
        cfg: its configuration.
        start: the words that a command of the same configuration files begins with.
        cwd: where the sweep was started.
    """
    become_worker()  # first: a signal may come at any time
    hydra = HydraConfig.get()
    sweep = cwd / hydra.sweep.dir
    overrides = task_overrides(hydra)
    job = Job(
        start,
        cwd,
        sweep,
        claim_directory(sweep, job_name(overrides), hydra.sweep.subdir),
        job_overrides(overrides),
        hydra_overrides(hydra),
        settings(cfg),
        cfg.sweep.keep,
        cfg.sweep.retry,
        cfg.sweep.fail_fast,
    )
    return run_job(job, cfg.launcher.name, launcher_share(cfg.launcher))


def hydra_overrides(hydra: Any) -> list[str]:
    """Return the overrides that make Hydra compose for a child what it composed for its job.

    Those of the sweep itself are omitted, but for a user's own options of `sweep` and `launcher`:
    they may set anything.
    """
    words = [word for word in hydra.overrides.hydra if not OF_THE_SWEEP.match(word)]
    if not any(word.startswith("hydra.mode=") for word in hydra.overrides.hydra):
        words.append("hydra.mode=RUN")  # a configuration file asked for the sweep
    for group in ("sweep", "launcher"):
        option = hydra.runtime.choices[group]
        if not (CONF / group / f"{option}.yaml").is_file():
            words.append(f"{group}={option}")
    return words
