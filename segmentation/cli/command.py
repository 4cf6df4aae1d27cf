"""The decorator that makes a function a command: configuration in, clear errors out.

Nothing here imports torch, so `--help`, `--cfg job` and tab completion answer at once.
"""

import functools
import logging
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.utils import _run_hydra, get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from segmentation.cli import resolvers
from segmentation.cli.class_options import accept_class_options, hydra_of
from segmentation.cli.composed import apply_composed
from segmentation.cli.help import help_of
from segmentation.cli.json_output import Document, json_output
from segmentation.cli.messages import exit_code, explain, failed_job, missing_message
from segmentation.cli.overrides import asks_hydra, flags_first, readable, sweeps
from segmentation.cli.terminal import make_printable
from segmentation.cli.unknown_option import explaining_lost_options
from segmentation.config import CONF, working_directory
from segmentation.console import check_line_breaks, show_error, show_trace, start_command
from segmentation.errors import ConfigError
from segmentation.system.parent_process import exit_with_parent_if_asked

# Threads that wait sleep instead of spinning: with any other process on the same cores (a loader's
# worker, a browser) spinning makes a step several times slower. Read when torch loads OpenMP.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

FULL_ERROR = "HYDRA_FULL_ERROR"
"""Environment variable: show the stack trace of a user's mistake too."""

Task = Callable[[DictConfig], object]

log = logging.getLogger(__name__)

resolvers.register()


def command(
    config_name: str, checks: Sequence[Callable[[DictConfig], object]] = ()
) -> Callable[[Task], Callable[..., None]]:
    """Make a function of a configuration a command that people type.

    A user's mistake (`SegmentationError`, an option Hydra does not know, a full disk) ends the
    command with a message and an exit code; ``HYDRA_FULL_ERROR=1`` shows the stack trace. Any other
    exception is a defect and keeps its trace. Under `-m` the function of a command that has
    launchers is not called: each job is a child process that runs the same command.

    What the function returns is printed by `--json` (see `json_output`); the command exits with its
    `exit_code`, if it has one. Under `-m` that is a list with the result of each job; if one fails
    it is ``{"error": of the first, "results": list}``, with ``{"error": ...}`` in the list for each
    that failed.

    Args:
        config_name: a file of conf/, without suffix.
        checks: called with the configuration of each job of a sweep before the first one starts;
            all jobs meet one check before any of them meets the next.

    Returns:
        A decorator; the decorated function reads `sys.argv`, and with `subcommand=True` leaves out
        its first word, which is then the command's name (`cityseg train ...`).
    """

    def decorate(task: Task) -> Callable[..., None]:
        @functools.wraps(task)
        def main(subcommand: bool = False) -> None:
            exit_with_parent_if_asked()
            make_printable()
            sys.excepthook = show_trace
            name = sys.argv[1:2] if subcommand else []
            words = sys.argv[1 + len(name) :]
            with json_output(words, asks_hydra) as document:
                several = sweeps(words)
                words = flags_first([readable(word, several) for word in words])
                sys.argv[1:] = [*name, *words]  # for ranks, which run the same command again
                if code := Invocation(config_name, task, document, checks).run(words):
                    sys.exit(code)

        return main

    return decorate


class Invocation:
    """One start of a command. Launchers pickle it and send it to their workers.

    Args:
        config_name: a file of conf/, without suffix.
        task: the command's function.
        document: receives the result.
        checks: see `command`.
    """

    def __init__(
        self,
        config_name: str,
        task: Task,
        document: Document,
        checks: Sequence[Callable[[DictConfig], object]] = (),
    ) -> None:
        self.config_name = config_name
        self.task = task
        self.checks = checks
        self.document = document
        self.start: list[str] = []
        self.cwd = Path()
        self.full_error = os.environ.get(FULL_ERROR)
        self.composed = False
        self.failures: list[Exception] = []
        self.results: list[object] = []

    def run(self, words: Sequence[str]) -> int:
        """Compose the configuration, run the task, print the message of an error.

        Args:
            words: the command line without the command.

        Returns:
            The exit code.
        """
        code = 0
        os.environ[FULL_ERROR] = "1"  # else Hydra prints and exits by itself
        try:
            self.cwd = working_directory()
            self._run_with_class_options(words)
            if self.failures:
                raise self.failures[0]
            self.document.result = self.results[0] if self.results else None
            code = max((getattr(result, "exit_code", 0) for result in self.results), default=0)
        except KeyboardInterrupt:
            code = 130
            self.document.error = "interrupted"
        except Exception as error:
            code = exit_code(error)
            message = explain(error, self.config_name, self.composed)
            self.document.fail(error, message)
            if message is None or self.full_error == "1":
                raise
            show_error(message)
        finally:
            _restore(FULL_ERROR, self.full_error)
            code = self._end_sweep(code)
            if code > 128:  # stopped by a signal, whatever an engine makes of it
                sys.exit(code)
        return code

    def _run_with_class_options(self, words: Sequence[str]) -> None:
        if sweeps(words):  # which has begun before it composes its jobs
            from segmentation.cli import check_jobs

            check_jobs.use(self.checks, self.config_name)
            self._run_hydra(accept_class_options(words, self.config_name))
            return
        try:
            self._run_hydra(words)
        except ConfigCompositionException:  # only then, as composing again takes its time
            accepted = accept_class_options(words, self.config_name)
            if self.composed or accepted == list(words):
                raise
            GlobalHydra.instance().clear()
            self._run_hydra(accepted)

    def _run_hydra(self, words: Sequence[str]) -> None:
        # What hydra.main does, but for its --experimental-rerun, which unpickles a file.
        version.setbase("1.3")
        parser = get_args_parser()
        arguments = parser.parse_args(list(words))
        if arguments.experimental_rerun is not None:
            raise ConfigError("--experimental-rerun is not supported. Use rerun=<run directory>.")
        check_line_breaks(" ".join(words))
        for word in {"hydra.run.dir=", "hydra.sweep.dir="} & set(words):  # as of $UNSET
            raise ConfigError(f"{word} is empty: type a directory.")
        if arguments.multirun and (arguments.cfg or arguments.info):
            raise ConfigError("--cfg and --info show a single run: omit -m and values with commas.")
        if arguments.help:
            with hydra_of(arguments, self.config_name) as hydra:
                print(help_of(hydra, self.config_name, arguments))
            return
        self.start = [*start_command(self.config_name), *_file_options(arguments)]
        _run_hydra(
            args=arguments,
            args_parser=parser,
            task_function=self._run_task,
            config_path=str(CONF),
            config_name=self.config_name,
        )

    def _run_task(self, cfg: DictConfig) -> object:
        """Run one job of the command; Hydra calls it with each configuration it has composed."""
        first, self.composed = not self.composed, True
        os.chdir(self.cwd)  # whatever hydra.job.chdir or a launcher's worker makes of it
        _restore(FULL_ERROR, self.full_error)  # for child processes
        several = HydraConfig.get().mode == RunMode.MULTIRUN
        launched = several and "launcher" in cfg
        if first and not launched:
            warn_of_chdir(HydraConfig.get())
        if several and not launched:
            self.document.jobs = self.results
        try:
            if launched:
                _check_complete(cfg, self.config_name)
                from segmentation.cli.sweep import run_composed_job  # only sweeps need it

                return run_composed_job(cfg, self.start, self.cwd)
            apply_composed(cfg)
            _check_complete(cfg, self.config_name)
            with explaining_lost_options(self.config_name):
                result = self.task(cfg)
            self.results.append(result)
            return result
        except Exception as error:
            if several:
                self.results.append(failed_job(error, self.config_name))
                raise
            self.failures.append(error)  # Hydra would print all overrides above the message
            return None
        finally:
            os.environ[FULL_ERROR] = "1"

    def _end_sweep(self, code: int) -> int:
        if "segmentation.cli.sweep" not in sys.modules:
            return code
        from segmentation.cli.sweep import end_sweep

        code, jobs = end_sweep(code)
        if jobs is not None:
            self.document.result = jobs
        return code


def _file_options(arguments: Namespace) -> list[str]:
    """Return the options of a command line that say which configuration files it has."""
    values = {
        "--config-name": arguments.config_name,
        "--config-path": arguments.config_path,
        "--config-dir": arguments.config_dir,
    }
    given = [[flag, value] for flag, value in values.items() if value is not None]
    return [word for option in given for word in option]


def warn_of_chdir(hydra: Any) -> None:
    """Warn where Hydra is asked to work in the run directory, which commands do not.

    Args:
        hydra: Hydra's own configuration.
    """
    if hydra.job.chdir:
        log.warning(
            "hydra.job.chdir=true has no effect: relative paths count from where the command was "
            "typed"
        )


def _check_complete(cfg: DictConfig, config_name: str) -> None:
    if missing := sorted(OmegaConf.missing_keys(cfg)):
        data = OmegaConf.select(cfg, "data.name") or "folder"
        raise ConfigError(missing_message(missing, config_name, data))


def _restore(key: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(key, None)
    else:
        os.environ[key] = value
