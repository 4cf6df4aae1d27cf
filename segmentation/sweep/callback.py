"""Hydra's hook at the start of a sweep, and what the command asks at its end."""

import sys
import traceback
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from segmentation.errors import SegmentationError
from segmentation.sweep.jobs.launchers import prepare
from segmentation.sweep.jobs.names import job_name, job_overrides
from segmentation.sweep.table import to_json
from segmentation.sweep.watch import Watch

_watches: list[Watch] = []  # the callback goes to the launchers' workers, a thread cannot


class SweepCallback(Callback):
    """Starts to watch when a sweep starts."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the sweep's options, and begin to watch its directory.

        Hydra would make a warning of whatever is an Exception, and sweep all the same.
        """
        try:
            prepare(config)
            watch = Watch(Path.cwd() / config.hydra.sweep.dir, planned(config))
            watch.start()
        except SegmentationError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(error.exit_code)
        except Exception:
            traceback.print_exc()
            sys.exit(1)
        _watches.append(watch)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Forget a job's configuration, which Hydra's launchers would keep for every job."""
        job_return.cfg = job_return.hydra_cfg = None


def end_sweep(code: int) -> tuple[int, dict[str, Any] | None]:
    """End the sweep, if this command was one.

    Args:
        code: the exit code of the command as it stands.

    Returns:
        The exit code of the sweep, and its directory and jobs for `--json`; the code as it is and
        None where this was no sweep.
    """
    if not _watches:
        return code, None
    watch = _watches.pop()
    code = watch.end(code)
    return code, {"directory": watch.sweep, **to_json(list(watch.rows.values()))}


def planned(config: DictConfig) -> dict[str, list[str]] | None:
    """Return name -> overrides of a grid's jobs; None of another sweeper, which knows none yet."""
    sweeper = config.hydra.sweeper
    if not sweeper._target_.endswith(f".{BasicSweeper.__name__}"):
        return None
    params = [f"{key}={value}" for key, value in (sweeper.params or {}).items()]
    loader = GlobalHydra.instance().config_loader()
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(
        [*params, *config.hydra.overrides.task]
    )
    (jobs,) = BasicSweeper.split_arguments(parsed, None)
    return {job_name(one): job_overrides(one) for one in jobs}
