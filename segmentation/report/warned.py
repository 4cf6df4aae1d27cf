"""Whose warnings are whose, where several models are shown together."""

from collections.abc import Iterable, Mapping
from typing import Any


def warned(known: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[tuple[str, list[str]]]:
    """Return each warning once, with the names that have it; none where all of them have it.

    Args:
        known: by name, what the `metrics.json` of each of its scorings says.
    """
    whose: dict[str, dict[str, None]] = {}
    for name, scorings in known.items():
        for metrics in scorings:
            for text in metrics.get("warnings") or []:
                whose.setdefault(text, {})[name] = None
    return [
        (text, [] if len(names) == len(known) else list(names)) for text, names in whose.items()
    ]
