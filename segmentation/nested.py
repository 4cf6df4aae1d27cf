"""Nested mappings, such as a configuration or what metrics.json says."""

from collections.abc import Mapping
from typing import Any


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values by dotted keys; an empty mapping stays one."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def value_at(values: Any, key: str) -> Any:
    """Return the value that a dotted key leads to, None where it leads nowhere."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values
