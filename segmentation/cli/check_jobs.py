"""Check the configuration of every job of a sweep before the first one starts."""

import copy
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
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

Check = Callable[[DictConfig], object]

_checks: Sequence[Check] = ()
_command = "train"


def use(checks: Sequence[Check], config_name: str) -> None:
    """Set the checks of this command's jobs."""
    global _checks, _command
    _checks, _command = checks, config_name


class Composer:
    """Composes the jobs of a sweep as its launcher will, but each choice of files only once.

    Hydra applies values to what it has composed from files, which takes most of the time.

    Args:
        config: of the sweep.
    """

    def __init__(self, config: DictConfig) -> None:
        self._config = config
        self._loader = GlobalHydra.instance().config_loader()
        self._of_files: dict[tuple[str, ...], DictConfig] = {}

    def compose(self, overrides: Sequence[str], number: int) -> DictConfig:
        """Compose a job.

        Args:
            overrides: of the job.
            number: the job's, which is `hydra.job.num`.

        Raises:
            ConfigError: a value is missing.
        """
        parser = OverridesParser.create(config_loader=self._loader)
        parsed = parser.parse_overrides(list(overrides))
        task = [item for item in parsed if not item.is_hydra_override()]
        values = [item for item in task if not self._loader.get_group_options(item.key_or_group)]
        files = tuple(str(item.input_line) for item in parsed if item not in values)
        if files not in self._of_files:
            self._of_files[files] = self._loader.load_sweep_config(self._config, list(files))
        cfg = copy.deepcopy(self._of_files[files])
        ConfigLoaderImpl._apply_overrides_to_config(values, cfg)
        with read_write(cfg), open_dict(cfg):
            cfg.hydra.job.num, cfg.hydra.job.id = number, str(number)
            cfg.hydra.overrides.task = [item.input_line for item in task]
            cfg.hydra.job.override_dirname = get_overrides_dirname(
                task, **cfg.hydra.job.config.override_dirname
            )
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
    composer = Composer(config)
    how = [word for word in task_overrides(config.hydra) if NOT_OF_THE_JOB.match(word)]
    left = dict(jobs)
    for check in _checks:  # the quick one first, for all jobs
        distinct: dict[str, int] = {}
        for number, overrides in left.items():
            with _naming_job(overrides, jobs):
                cfg = composer.compose([*how, *job_overrides(overrides)], number)
                with _as_job(cfg):
                    check_seed("seed", cfg.seed)
                    kept = {key: value for key, value in settings(cfg).items() if key not in SAME}
                    first = distinct.setdefault(json.dumps(kept, default=str), number)
                    if first == number:
                        with explaining_lost_options(_command):
                            check(cfg)
        left = {number: jobs[number] for number in distinct.values()}


@contextmanager
def _naming_job(overrides: Sequence[str], jobs: Mapping[int, Sequence[str]]) -> Iterator[None]:
    """Say of an error which job it is of."""
    try:
        yield
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
