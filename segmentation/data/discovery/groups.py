"""Groups of samples, which stay in one split: found in their names by a regular expression."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

from segmentation.data.discovery.layouts import Sample
from segmentation.errors import ConfigError, listed

SEARCH_SECONDS = 30
"""Longer than any search that ends: 0.1 s for 100,000 names."""
SEARCH = """
import json, re, sys
pattern, names = json.load(sys.stdin)
matches = map(re.compile(pattern).search, names)
json.dump([match and match[1] for match in matches], sys.stdout)
"""


def group_samples(samples: Sequence[Sample], pattern: str) -> list[Sample]:
    """Return the samples with the groups that a regular expression finds in their names.

    Raises:
        ConfigError: it is invalid, does not find a group in each name, or does not end.
    """
    try:
        groups = re.compile(pattern).groups
    except (re.error, RecursionError, OverflowError) as error:
        raise ConfigError(
            f"data.group={pattern!r} is an invalid regular expression: {error}."
        ) from error
    if groups < 1:
        raise ConfigError(
            f"data.group={pattern!r} needs parentheses around the group's name, as in "
            'data.group="^(.*?)_".'
        )
    names = [sample.name for sample in samples]
    found = _search(pattern, names)
    if without := [name for name, group in zip(names, found, strict=True) if not group]:
        raise ConfigError(
            f"data.group={pattern!r} finds no group in {len(without)} of {len(samples)} names, "
            f"such as {listed(without, 3)}."
        )
    return [
        replace(sample, group=group or "") for sample, group in zip(samples, found, strict=True)
    ]


def _search(pattern: str, names: Sequence[str]) -> list[str | None]:
    """Return what the first group of a pattern matches in each name.

    In a process of its own, as nothing else ends a search that backtracks for years: the pattern
    may be a stranger's.

    Raises:
        ConfigError: it does not end.
    """
    try:
        search = subprocess.run(
            [sys.executable, "-I", "-S", "-c", SEARCH],
            input=json.dumps([pattern, names]),
            capture_output=True,
            text=True,
            check=True,
            timeout=SEARCH_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError(
            f"data.group={pattern!r} is not found in {len(names)} names within {SEARCH_SECONDS} s: "
            "it backtracks without end. Write it without a repetition inside a repetition."
        ) from error
    result: list[str | None] = json.loads(search.stdout)
    return result
