"""A job's name, which is its directory: derived from its overrides alone, not from its number."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from segmentation.console import quoted

FIRST = ("encoder", "fold", "seed", "decoder", "loss", "optimizer", "lr", "schedule", "augment")
"""These come first in a name, by the last part of the key; the rest follows alphabetically."""
NAME_LENGTH = 60
"""Characters of the readable part of a name."""
NOT_OF_THE_JOB = re.compile(r"[+~]*(sweep|launcher)(?=[.=/@]|$)")
READABLE = re.compile(r"\w[\w.+-]*", re.ASCII)  # valid on every file system


def job_overrides(overrides: Iterable[str]) -> list[str]:
    """Return the overrides of the training, without those that say how the sweep is run.

    Interpolations are as they were typed, where Hydra's sweeper escapes them.
    """
    return [_as_typed(override) for override in overrides if not NOT_OF_THE_JOB.match(override)]


def _as_typed(override: str) -> str:
    if "$\\{" not in override:
        return override
    parser = OverridesParser.create()
    value = parser.parse_override(override).value()
    key = override.partition("=")[0]
    plain = f"{key}={value if isinstance(value, str) else quoted(value)}"
    try:
        return plain if parser.parse_override(plain).value() == value else f"{key}={quoted(value)}"
    except HydraException:  # nested ones, as ${a:${b}}
        return f"{key}={quoted(value)}"


def split_override(override: str) -> tuple[str, str]:
    """Return the key of an override, without ``+`` and ``~``, and its value."""
    key, _, value = override.lstrip("+~").partition("=")
    return key, value


def job_name(overrides: Sequence[str]) -> str:
    """Return the name of a job's directory, such as ``encoder-resnet50_seed-1_0a1b2c3d4e``.

    Two names are equal if and only if the overrides are, in any order (up to a collision of 40 bits
    of SHA-256). The hash alone distinguishes jobs, so also on file systems without upper case.

    Args:
        overrides: of the task; those of `sweep` and `launcher` make no difference.
    """
    words = sorted(job_overrides(overrides))
    digest = hashlib.sha256(json.dumps(words).encode()).hexdigest()[:10]
    parts = [(re.split(r"[./@]", key)[-1], value) for key, value in map(split_override, words)]
    readable = [
        f"{key}-{value}"
        for key, value in sorted(parts, key=_rank)
        if READABLE.fullmatch(key) and READABLE.fullmatch(value)
    ]
    while readable and len("_".join(readable)) > NAME_LENGTH:
        readable.pop()
    return "_".join([*readable, digest])


def _rank(part: tuple[str, str]) -> tuple[int, str]:
    key, _ = part
    return (FIRST.index(key) if key in FIRST else len(FIRST), key)
