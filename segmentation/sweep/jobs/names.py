"""A job's name, which is its directory: a function of its overrides alone, not of its number."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence

FIRST = ("encoder", "fold", "seed", "decoder", "loss", "optimizer", "lr", "schedule", "augment")
"""What comes first in a name, by the last part of the key; the rest follows by the alphabet."""
LENGTH = 60
"""Characters of the part of a name that people read."""
NOT_OF_THE_JOB = re.compile(r"[+~]*(sweep|launcher)(?=[.=/@]|$)")
READABLE = re.compile(r"\w[\w.+-]*", re.ASCII)  # what every file system takes


def job_overrides(overrides: Iterable[str]) -> list[str]:
    """Return what a job is: its overrides without those that say how the sweep is run."""
    return [one for one in overrides if not NOT_OF_THE_JOB.match(one)]


def job_name(overrides: Sequence[str]) -> str:
    """Return the name of a job's directory, such as ``encoder-resnet50_seed-1_0a1b2c3d4e``.

    Two names are equal if and only if the overrides are, whatever their order (up to a collision
    of 40 bits of SHA-256). The hash alone tells jobs apart, also on file systems that take upper
    case and lower case for the same.

    Args:
        overrides: of the task; those of `sweep` and `launcher` make no difference.
    """
    kept = sorted(job_overrides(overrides))
    digest = hashlib.sha256(json.dumps(kept).encode()).hexdigest()[:10]
    parts = [key_value(one) for one in kept]
    readable = [
        f"{key}-{value}"
        for key, value in sorted(parts, key=_place)
        if READABLE.fullmatch(key) and READABLE.fullmatch(value)
    ]
    while readable and len("_".join(readable)) > LENGTH:
        readable.pop()
    return "_".join([*readable, digest])


def key_value(override: str) -> tuple[str, str]:
    """Return the last part of an override's key, and its value."""
    key, _, value = override.lstrip("+~").partition("=")
    return re.split(r"[./@]", key)[-1], value


def _place(part: tuple[str, str]) -> tuple[int, str]:
    key, _ = part
    return (FIRST.index(key) if key in FIRST else len(FIRST), key)
