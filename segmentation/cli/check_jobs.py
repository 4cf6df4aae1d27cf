"""Check the configuration of every job of a sweep before the first one starts."""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from segmentation.cli.messages import explain, missing_message
from segmentation.cli.unknown_option import explaining_lost_options
from segmentation.config import settings, task_overrides
from segmentation.errors import ConfigError, SegmentationError, check_seed
from segmentation.sweep.jobs.names import NOT_OF_THE_JOB, job_overrides

SAME = ("seed", "experiment")
"""Sections on which no other depends: jobs that differ in these alone are checked once."""

_check: Callable[[DictConfig], object] | None = None
_command = "train"


def use(check: Callable[[DictConfig], object] | None, config_name: str) -> None:
    """Set the check of this command's jobs; None for none."""
    global _check, _command
    _check, _command = check, config_name


def compose_job(config: DictConfig, overrides: Sequence[str], number: int) -> DictConfig:
    """Compose a job of a sweep as its launcher will.

    Args:
        config: of the sweep.
        overrides: of the job.
        number: the job's, which is `hydra.job.num`.

    Raises:
        ConfigError: a value is missing.
    """
    loader = GlobalHydra.instance().config_loader()
    cfg = loader.load_sweep_config(config, list(overrides))
    with read_write(cfg), open_dict(cfg):
        cfg.hydra.job.num, cfg.hydra.job.id = number, str(number)
    job = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    with _as_job(cfg):
        missing = sorted(OmegaConf.missing_keys(job))
    if missing:
        raise ConfigError(missing_message(missing, _command, cfg.data.name))
    return cfg


def check_jobs(config: DictConfig, jobs: Mapping[int, Sequence[str]]) -> None:
    """Compose and check every job of a sweep.

    Args:
        config: of the sweep.
        jobs: the overrides of each, by its number.

    Raises:
        ConfigError: a job cannot be trained as configured.
    """
    if _check is None:
        return
    checked = set()
    how = [word for word in task_overrides(config.hydra) if NOT_OF_THE_JOB.match(word)]
    for number, overrides in jobs.items():
        try:
            cfg = compose_job(config, [*how, *job_overrides(overrides)], number)
            with _as_job(cfg):
                check_seed("seed", cfg.seed)
                kept = {key: value for key, value in settings(cfg).items() if key not in SAME}
                what = json.dumps(kept, default=str)
                if what not in checked:
                    with explaining_lost_options(_command):
                        _check(cfg)
            checked.add(what)
        except (SegmentationError, HydraException, OmegaConfBaseException) as error:
            message = explain(error, _command, composed=False) or str(error)
            own = [word for word in overrides if any(word not in other for other in jobs.values())]
            job = f"the job {' '.join(own)}" if own else "its jobs"
            raise ConfigError(f"the sweep has not started, because of {job}: {message}") from error


@contextmanager
def _as_job(cfg: DictConfig) -> Iterator[None]:
    """Let code find the job's overrides in HydraConfig; say nothing, as the job will.

    What a trainer leaves in the environment for its ranks is not for the jobs.
    """
    instance, level = HydraConfig.instance(), logging.root.manager.disable
    before, environment = instance.cfg, dict(os.environ)
    instance.set_config(cfg)
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)
        instance.cfg = before
        os.environ.clear()
        os.environ.update(environment)
