"""Files that are whole or not there, whoever reads them and whenever their writer dies."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

BINARY = (bytes, bytearray, memoryview)


def plain(value: object) -> Any:
    """Return a value as JSON has it.

    Args:
        value: what JSON knows, paths, NumPy's numbers and arrays, an object whose `to_json` gives
            such values, and dictionaries, sequences and sets of these.

    Raises:
        TypeError: it is something else; what pandas has among it, whose `to_json` gives a text.
        RecursionError: it holds itself.
    """
    if hasattr(value, "to_json"):
        kind, value = type(value).__name__, value.to_json()
        if isinstance(value, str):
            raise TypeError(f"a {kind} cannot be said in JSON, but a list of its rows can")
    if hasattr(value, "tolist"):  # NumPy's, without importing it
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, Sequence | AbstractSet) and not isinstance(value, BINARY):
        return [plain(one) for one in value]
    raise TypeError(f"a {type(value).__name__} cannot be said in JSON")


MOST_JSON = 2**26
"""More bytes than any of our files has: what is larger is not read."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file beside its place, then move it there; text as UTF-8."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write plain values."""
    write_whole(path, json.dumps(values, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the values of a file, None where there is none, or no dictionary in it.

    Raises:
        ValueError: it cannot be read, is no JSON, is nested too deeply, or larger than `MOST_JSON`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_JSON + 1)
        if len(content) > MOST_JSON:
            raise ValueError(f"it is larger than {MOST_JSON:,} bytes")
        values = json.loads(content.decode("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return values if isinstance(values, dict) else None
