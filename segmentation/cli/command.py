"""The one decorator of every command: Hydra's configuration in, clear errors out.

Nothing here imports torch, so `--help`, `--cfg job` and tab completion answer at once.
"""

import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from segmentation.cli.json_output import Document, json_output
from segmentation.cli.messages import _exit_code, _explain, _failed, options_in_words
from segmentation.cli.overrides import asks_hydra, readable
from segmentation.cli.resolvers import _allotted, run_directory
from segmentation.cli.terminal import plain_where_needed
from segmentation.config import CONF
from segmentation.errors import ConfigError
from segmentation.sweep.jobs.names import job_name
from segmentation.system.parent_process import leave_if_asked
from segmentation.system.ranks import rank

# Threads that wait sleep in place of spinning: with any other process on the same cores (a loader's
# worker, a browser) spinning makes a step several times slower. Read when torch loads OpenMP.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Runs that start in the same second still get directories of their own.
OmegaConf.register_new_resolver(
    "unique", lambda: secrets.token_hex(2), use_cache=True, replace=True
)

OmegaConf.register_new_resolver("run_directory", run_directory, replace=True)

# Several ranks share a run directory, whose files rank zero writes.
OmegaConf.register_new_resolver(
    "log_file", lambda path: path if rank() == 0 else os.devnull, replace=True
)

OmegaConf.register_new_resolver("job_name", job_name, replace=True)

OmegaConf.register_new_resolver("options_in_words", options_in_words, replace=True)

OmegaConf.register_new_resolver("allotted", _allotted, replace=True)


def command(config_name: str) -> Callable[[Callable[[DictConfig], object]], Callable[[], None]]:
    """Make a function of a configuration a command that people type.

    A mistake of the user's (`SegmentationError`, an option Hydra does not know, a full disk) ends
    the command with a message and an exit code; ``HYDRA_FULL_ERROR=1`` shows the stack trace. Any
    other exception is a defect and keeps its trace. Under `-m` the function of a
    command that has launchers is not called: each job is a child that runs the same script.

    What the function returns is printed by `--json` (see `json_output`); the command exits with the
    `exit_code` that it has, if it has one. Under `-m` that is a list with what each job returned;
    if one fails it is ``{"error": of the first, "results": list}``, with ``{"error": ...}`` in the
    list for each that failed.

    Args:
        config_name: a file of conf/, without suffix.
    """

    def decorate(task: Callable[[DictConfig], object]) -> Callable[[], None]:
        script = Path(task.__code__.co_filename).resolve()

        def main() -> None:
            leave_if_asked()
            plain_where_needed()
            words = sys.argv[1:]
            with json_output(words, asks_hydra) as document:
                sys.argv[1:] = words
                run(document)

        def run(document: Document) -> None:
            wanted = os.environ.get("HYDRA_FULL_ERROR")
            composed = False
            failed: list[Exception] = []
            results: list[object] = []
            os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra prints and exits by itself

            def guarded(cfg: DictConfig) -> object:
                nonlocal composed
                composed = True
                _restore("HYDRA_FULL_ERROR", wanted)  # for child processes
                several = HydraConfig.get().mode == RunMode.MULTIRUN
                launched = several and "launcher" in cfg
                if several and not launched:
                    document.jobs = results
                try:
                    if missing := sorted(OmegaConf.missing_keys(cfg)):
                        raise ConfigError(
                            f"{', '.join(missing)} is not set. "
                            f"Type {' '.join(f'{key}=<value>' for key in missing)}."
                        )
                    if launched:
                        from segmentation.sweep.jobs.job import run_job

                        return run_job(cfg, script)
                    results.append(task(cfg))
                    return results[-1]
                except Exception as error:
                    if several:
                        results.append(_failed(error, config_name))
                        raise
                    failed.append(error)  # Hydra would print all overrides above the message
                    return None
                finally:
                    os.environ["HYDRA_FULL_ERROR"] = "1"

            sys.argv[1:] = map(readable, sys.argv[1:])
            hydrated = hydra.main(
                version_base="1.3", config_path=str(CONF), config_name=config_name
            )
            code = 0
            try:
                hydrated(guarded)()
                if failed:
                    raise failed[0]
                document.result = results[0] if results else None
                code = max((getattr(one, "exit_code", 0) for one in results), default=0)
            except KeyboardInterrupt:
                code = 130
                document.error = "interrupted"
            except Exception as error:
                code = _exit_code(error)
                message = _explain(error, config_name, composed)
                document.fail(error, message)
                if message is None or wanted == "1":
                    raise
                print(f"error: {message}", file=sys.stderr)
            finally:
                _restore("HYDRA_FULL_ERROR", wanted)
                if "segmentation.sweep.callback" in sys.modules:  # there may have been a sweep
                    from segmentation.sweep.callback import end_sweep

                    code, jobs = end_sweep(code)
                    document.result = document.result if jobs is None else jobs
                if code > 128:  # stopped by a signal, whatever an engine makes of it
                    sys.exit(code)
            if code:
                sys.exit(code)

        return main

    return decorate


def _restore(key: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(key, None)
    else:
        os.environ[key] = value
