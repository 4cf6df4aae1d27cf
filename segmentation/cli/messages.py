"""What a user is told: error messages for invalid input, and the text of `--help`."""

import errno
import re
from collections.abc import Sequence
from pathlib import Path

from hydra.errors import HydraException, InstantiationException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import (
    InterpolationResolutionError,
    OmegaConfBaseException,
    ValidationError,
)
from yaml import MarkedYAMLError

from segmentation.cli.json_output import Document
from segmentation.cli.unknown_option import default_config, unknown_group_option, unknown_key
from segmentation.config import CONF
from segmentation.console import typed
from segmentation.errors import SegmentationError

REFUSED = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENAMETOOLONG,
    errno.ELOOP, errno.ENOTDIR, errno.EMFILE, errno.ENODEV,
)  # fmt: skip
"""Why a system refuses a file whatever a program does."""
NO_LOCKS = (
    "the file system has no locks, which keep two processes out of one folder. Choose another "
    "disk: hydra.run.dir=<folder>, and XDG_CACHE_HOME=<folder> before the command for caches."
)


def help_text(config_name: str) -> str:
    """Return the usage and the options of a command, from its file in conf/ (a resolver).

    Hydra's own help lists the groups of options, which belong to training.
    """
    text = (CONF / f"{config_name}.yaml").read_text(encoding="utf-8")
    usage, defaults, options = re.split(r"(^defaults:\n(?:  .*\n)+)", text, flags=re.M)
    groups = [name for name in re.findall(r"^  - (\w+): ", defaults, re.M) if name != "hydra"]
    besides = f"\nAlso {'=, '.join(groups)}= with the same options as train.\n" if groups else ""
    needed = "\nOptions with ??? are required.\n" if "???" in options else ""
    options = re.sub(r"\$\{hydra:[^}]*\}", "null", options)  # Hydra fills it in
    usage = usage.removeprefix("# ").replace(f"python {config_name}.py", typed(config_name))
    words = f"{usage}{options}{needed}{besides}"
    return words.replace("$", "$$")  # Hydra reads a template


def failed_job(error: Exception, config_name: str) -> object:
    """Return the entry of a failed job in the `--json` document of several jobs."""
    document = Document()
    document.fail(error, explain(error, config_name, composed=True))
    return document.content()


def exit_code(error: BaseException | None) -> int:
    """Return the exit code of a command that ends with an error."""
    while error is not None:
        if isinstance(error, SegmentationError):
            return error.exit_code
        error = error.__cause__
    return 1


def explain(error: Exception, config_name: str, composed: bool) -> str | None:
    """Return the message for a user's mistake, None for a defect.

    Args:
        error: what ended the command.
        config_name: the command.
        composed: the configuration was complete and the task had begun; a missing key is then a
            defect.
    """
    cause: BaseException | None = error
    while cause is not None:  # Hydra wraps what an object raises while it is built
        if message := _runtime_message(cause):
            return message
        cause = cause.__cause__
    if missing := re.search(r"Missing mandatory value: ([\w.]+)", str(error)):
        return missing_message([missing[1]], config_name)
    if isinstance(error, InstantiationException):
        return str(error)
    if isinstance(error, OverrideParseException):
        return _override_message(error, config_name)
    if composed:
        return None
    if isinstance(error, MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"{mark.name}, line {mark.line + 1}: invalid YAML: {error.problem}. Fix the file."
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _hydra_message(error, config_name)
    if "Config group override must be" in str(error):  # trainer=null, data=5
        return "a group of options takes the name of one, as in data=folder: omit null and numbers."
    return None


def missing_message(keys: Sequence[str], config_name: str, data: str = "folder") -> str:
    """Return the message for options that must be set.

    Args:
        keys: the options.
        config_name: the command.
        data: the chosen option of the group `data`.
    """
    needed = " ".join(f"{key}=<value>" for key in keys)
    meanings = [f"{key} is {text}." for key in keys if (text := _meaning(key, config_name, data))]
    verb = "is" if len(keys) == 1 else "are"
    return " ".join([f"{', '.join(keys)} {verb} not set. Type {needed}.", *meanings])


def _meaning(key: str, config_name: str, data: str) -> str | None:
    """Return the comment that conf/ has on a required option; None if it has none."""
    group, _, name = key.rpartition(".")
    files = sorted((CONF / group).glob("*.yaml")) if group else [CONF / f"{config_name}.yaml"]
    files.sort(key=lambda path: path.stem != data)
    for path in files:
        pattern = rf"^{re.escape(name)}: \?\?\? # (.+)$"
        if path.is_file() and (comment := re.search(pattern, path.read_text("utf-8"), re.M)):
            return comment[1].replace("python fetch.py", typed("fetch"))
    return None


def _runtime_message(error: BaseException) -> str | None:
    if isinstance(error, SegmentationError):
        # One raised in a loader's worker arrives as that process's whole stack trace.
        return str(error).strip().rsplit(f"{type(error).__name__}: ", 1)[-1]
    if isinstance(error, OSError):
        return _file_message(error)
    if type(error).__name__ == "OutOfMemoryError":  # torch's, without importing torch
        return "the GPU is out of memory. Lower data.batch_size, data.size or data.crop."
    return None


def _file_message(error: OSError) -> str | None:
    """Return the message where the system refuses a file; None where the program may be wrong."""
    where = str(error.filename or "a file")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full ({error.filename or 'while writing'}). Free some space."
    if error.errno == errno.EFBIG:
        return f"{where} is larger than this process may write (ulimit -f)."
    if error.errno in (errno.ENOLCK, errno.ENOTSUP):
        return NO_LOCKS
    if error.errno in REFUSED:
        return f"{where} cannot be read or written: {error.strerror}. Choose another place for it."
    gone = error.filename is not None and not Path(where).absolute().parent.exists()
    if error.errno == errno.ENOENT and gone:
        return f"{where} is gone, with its folder: was that removed in the meantime?"
    return None


def _override_message(error: OverrideParseException, config_name: str) -> str:
    value = error.override.partition("=")[2]
    if value[:1] in ("[", "{") and value[-1:] not in ("]", "}"):  # the shell divided it
        return (
            f"cannot read {error.override!r}: its brackets do not close. Type no spaces between "
            "values, or quotes around the whole, as in 'key=[a, b]'."
        )
    if "=" in error.override:
        return f"cannot read {error.override!r}: {error}"
    key = _first_required(config_name)  # `python evaluate.py runs/one`
    example = f", as in {key}={error.override}" if key else ""
    return (
        f"{error.override!r}: every word is key=value{example}. "
        f"`{typed(config_name)} --cfg job` lists all keys."
    )


def _hydra_message(error: Exception, config_name: str) -> str:
    chain = [str(error), str(error.__cause__ or "")]
    text = "\n".join(dict.fromkeys(part.strip() for part in chain if part))
    if own := re.match(r"ConfigError raised while resolving interpolation: (.*)\n *full_key", text):
        return own[1]
    if isinstance(error, InterpolationResolutionError):  # ${x}, or ${oc.env:X} that is not set
        key = re.search(r"full_key: ([\w.]+)", text)
        return f"{key[1] if key else 'an option'}: {text.splitlines()[0]}."
    if isinstance(error.__cause__ or error, ValidationError):  # hydra.job.chdir=maybe
        key = re.search(r"full_key: ([\w.]+)", text)
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        return f"{key[1]}: {reason}." if key else text
    if "Ambiguous value" in text:
        several = f"{text.splitlines()[0]}: several values are a sweep. Type -m first."
        return several + " For a list type brackets, as in 'key=[a,b]'."
    if "hydra/launcher" in text:
        from segmentation.sweep.jobs.launchers import missing_plugin

        if message := missing_plugin(text):
            return message
    option = re.search(r"Could not find '([\w/]+)/([^'/]+)'", text)
    if option and (CONF / option[1]).is_dir():
        return unknown_group_option(*option.groups())
    key = re.search(r"Could not override '([\w./@]+)'", text)
    key = key or re.search(r"full_key: ([\w.]+)", text)  # that is the parent where it is missing
    return unknown_key(key[1], config_name) if key else text


def _first_required(config_name: str) -> str | None:
    """Return the first key without a default; None if each has one."""
    cfg = default_config(config_name)
    return next((str(key) for key in cfg if OmegaConf.is_missing(cfg, key)), None)
