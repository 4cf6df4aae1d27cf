"""The one decorator of every command: Hydra's configuration in, clear errors out.

Nothing here imports torch, so `--help`, `--cfg job` and tab completion answer at once.
"""

import errno
import os
import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError

from segmentation.command_line import asks_hydra, readable
from segmentation.directories import run_directory
from segmentation.errors import ConfigError, SegmentationError, did_you_mean
from segmentation.json_output import Document, json_output
from segmentation.orphans import leave_if_asked
from segmentation.ranks import rank
from segmentation.sweep.names import job_name
from segmentation.terminal import plain_where_needed

# Threads that wait sleep in place of spinning: with any other process on the same cores (a loader's
# worker, a browser) spinning makes a step several times slower. Read when torch loads OpenMP.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

CONF = Path(__file__).resolve().parent.parent / "conf"

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


def options_in_words(config_name: str) -> str:
    """Return what a file of conf/ says of a command and its options, for `--help`.

    Hydra's own help lists the groups of options, which are train.py's.
    """
    text = (CONF / f"{config_name}.yaml").read_text(encoding="utf-8")
    usage, defaults, options = re.split(r"(^defaults:\n(?:  .*\n)+)", text, flags=re.M)
    groups = [name for name in re.findall(r"^  - (\w+): ", defaults, re.M) if name != "hydra"]
    besides = (
        f"\nAnd {'=, '.join(groups)}= with their options, as for train.py.\n" if groups else ""
    )
    needed = "\n??? has to be given.\n" if "???" in options else ""
    options = re.sub(r"\$\{hydra:[^}]*\}", "null", options)  # how Hydra hands it over
    words = f"{usage.removeprefix('# ')}{options}{needed}{besides}"
    return words.replace("$", "$$")  # Hydra reads a template


OmegaConf.register_new_resolver("options_in_words", options_in_words, replace=True)


def _allotted(key: str, _root_: DictConfig) -> object:
    from segmentation.sweep.launchers import allotted  # only sweeps need it

    return allotted(key, _root_)


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
                        from segmentation.sweep.job import run_job

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

                    code = end_sweep(code, document)
                if code > 128:  # stopped by a signal, whatever an engine makes of it
                    sys.exit(code)
            if code:
                sys.exit(code)

        return main

    return decorate


def _failed(error: Exception, config_name: str) -> object:
    """Return what `--json` says of one of several jobs that failed."""
    document = Document()
    document.fail(error, _explain(error, config_name, composed=True))
    return document.content()


def _restore(key: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(key, None)
    else:
        os.environ[key] = value


def _exit_code(error: BaseException | None) -> int:
    while error is not None:
        if isinstance(error, SegmentationError):
            return error.exit_code
        error = error.__cause__
    return 1


def _explain(error: Exception, config_name: str, composed: bool) -> str | None:
    """Return the message for a user's mistake, None for a defect.

    Args:
        composed: the configuration stood and the task had begun; a key that is not there is then
            not the user's doing.
    """
    cause: BaseException | None = error
    while cause is not None:  # Hydra wraps what an object raises while it is built
        if isinstance(cause, SegmentationError):
            return _own_message(cause)
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return f"the disk is full ({cause.filename or 'while writing'}). Free some space."
        if type(cause).__name__ == "OutOfMemoryError":  # torch's, without importing torch
            return "the GPU is out of memory. Lower data.batch_size, data.size or data.crop."
        cause = cause.__cause__
    missing = re.search(r"Missing mandatory value: ([\w.]+)", str(error))
    if missing:
        return f"{missing[1]} is not set. Type {missing[1]}=<value>."
    if isinstance(error, InstantiationException):
        return str(error)
    if isinstance(error, OverrideParseException):
        if "=" not in error.override:  # `python evaluate.py runs/one`
            key = _first_to_give(config_name)
            return (
                f"{error.override!r}: every word is key=value"
                f"{f', as in {key}={error.override}' if key else ''}. "
                f"`{_typed(config_name)} --cfg job` lists all keys."
            )
        return f"cannot read {error.override!r}: {error}"
    if isinstance(error, MarkedYAMLError) and error.problem_mark and not composed:
        mark = error.problem_mark
        return (
            f"{mark.name}, line {mark.line + 1}: {error.problem}. This is no YAML: mend the file."
        )
    if isinstance(error, HydraException | OmegaConfBaseException) and not composed:
        return _hydra_message(error, config_name)
    return None


def _own_message(error: SegmentationError) -> str:
    # One raised in a loading process arrives as that process's whole stack trace.
    return str(error).strip().rsplit(f"{type(error).__name__}: ", 1)[-1]


def _hydra_message(error: Exception, config_name: str) -> str:
    chain = [str(error), str(error.__cause__ or "")]
    text = "\n".join(dict.fromkeys(part.strip() for part in chain if part))
    if own := re.match(r"ConfigError raised while resolving interpolation: (.*)\n *full_key", text):
        return own[1]
    if "Ambiguous value" in text:
        several = f"{text.splitlines()[0]}: several values are a sweep. Type -m first."
        return several + " For a list type brackets, as in 'key=[a,b]'."
    if "hydra/launcher" in text:
        from segmentation.sweep.launchers import missing_plugin

        if message := missing_plugin(text):
            return message
    option = re.search(r"Could not find '([\w/]+)/([^'/]+)'", text)
    if option and (CONF / option[1]).is_dir():
        group, name = option.groups()
        known = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
        hint = did_you_mean(name, known)
        return f"{group} has no option {name!r}.{hint}\nOptions: {', '.join(known)}"
    key = re.search(r"full_key: ([\w.]+)", text) or re.search(
        r"Could not override '([\w./@]+)'", text
    )
    if key:
        name = key[1]
        known = _keys(config_name)
        tail = {path.rsplit(".", 1)[-1]: path for path in known}
        hint = did_you_mean(name, known) or did_you_mean(name.rsplit(".", 1)[-1], tail)
        return f"there is no option {name!r}.{hint}\n`{_typed(config_name)} --cfg job` lists all."
    return text


def _typed(config_name: str) -> str:
    """Return how the command was started: as a script, or as a module with -m."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is None:
        return f"python {config_name}.py"
    return f"python -m {spec.name.removesuffix('.__main__')}"


def _default(config_name: str) -> DictConfig:
    """Return the configuration of a command of which nothing was typed."""
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(config_name)


def _first_to_give(config_name: str) -> str | None:
    """Return the first key that a command cannot do without; None: it has a default for each."""
    cfg = _default(config_name)
    return next((str(key) for key in cfg if OmegaConf.is_missing(cfg, key)), None)


def _keys(config_name: str) -> list[str]:
    """Return the dotted names of every key of the default configuration."""
    cfg = _default(config_name)

    def walk(node: DictConfig, prefix: str) -> list[str]:
        names = []
        for key in node:
            names.append(f"{prefix}{key!s}")
            child = node._get_node(key)
            if isinstance(child, DictConfig) and not child._is_none():
                names += walk(child, f"{prefix}{key!s}.")
        return names

    return walk(cfg, "")
