"""What a user is told: error messages for invalid input, and the text of `--help`."""

import errno
import re
import sys

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, InstantiationException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError

from segmentation.cli.json_output import Document
from segmentation.config import CONF
from segmentation.errors import SegmentationError, did_you_mean


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


def _failed(error: Exception, config_name: str) -> object:
    """Return what `--json` says of one of several jobs that failed."""
    document = Document()
    document.fail(error, _explain(error, config_name, composed=True))
    return document.content()


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
        from segmentation.sweep.jobs.launchers import missing_plugin

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
