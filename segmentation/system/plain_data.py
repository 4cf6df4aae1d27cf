"""Read data that a stranger may have written: plain values, bounded before they take memory."""

from typing import Any

import yaml

MAX_YAML_BYTES = 2**18
"""Larger than any YAML file of this project; anything above it is not read."""
MAX_DEPTH = 64
MAX_VALUES = 1_000_000
MAX_INTEGER = 2**64
MAX_AREA = 2**25
"""Most pixels of a size that images are resized or cropped to: 8192 x 4096."""
INTERPOLATION = "${"


def load_yaml(text: str, loader: type[Any] | None = None) -> Any:
    """Read YAML without aliases, which can make gigabytes of a kilobyte.

    Args:
        text: at most `MAX_YAML_BYTES`.
        loader: a safe loader of PyYAML; None: OmegaConf's, which reads numbers such as ``1e-5`` as
            Hydra does, and no dates.

    Raises:
        ValueError: invalid YAML, an alias, or too large or deep; the message says where.
    """
    if len(text) > MAX_YAML_BYTES:
        raise ValueError(f"it is larger than {MAX_YAML_BYTES:,} bytes")
    if loader is None:
        from omegaconf._utils import get_yaml_loader  # `Predictor` needs none of it

        loader = get_yaml_loader()
    try:
        return yaml.load(text, _bounded(loader))
    except yaml.MarkedYAMLError as error:
        where = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"{error.problem or 'invalid YAML'}{where}") from error
    except Exception as error:  # PyYAML's constructors let nearly anything escape
        raise ValueError(" ".join(f"{type(error).__name__}: {error}".split())) from error


def check_plain(values: Any) -> None:
    """Check that values are of JSON's types, bounded, and that nothing in them is resolved.

    Args:
        values: what a YAML file, JSON or a checkpoint held.

    Raises:
        ValueError: an interpolation such as ``${oc.env:HOME}``, another type, or too many or too
            deeply nested values; the message names the key.
    """
    waiting: list[tuple[str, Any, int]] = [("", values, 0)]
    seen = 0
    while waiting:
        where, value, depth = waiting.pop()
        seen += 1
        if depth > MAX_DEPTH or seen > MAX_VALUES:
            limit = f"{MAX_DEPTH} levels" if depth > MAX_DEPTH else f"{MAX_VALUES:,} values"
            raise ValueError(f"it has more than {limit}")
        if type(value) is dict:
            for key, child in value.items():
                if not isinstance(key, str | int | float | None):
                    raise ValueError(f"{where or 'it'} has a {type(key).__name__} as a key")
                _check_text(where, key)
                waiting.append((f"{where}.{key}".removeprefix("."), child, depth + 1))
        elif type(value) in (list, tuple):
            waiting += [(f"{where}[{i}]", child, depth + 1) for i, child in enumerate(value)]
        elif type(value) is int and abs(value) > MAX_INTEGER:
            raise ValueError(f"{where} is a number of {value.bit_length()} bits")
        elif not isinstance(value, str | int | float | None):
            raise ValueError(
                f"{where or 'it'} is a {type(value).__name__}, which is no plain value"
            )
        _check_text(where, value)


def _check_text(where: str, value: Any) -> None:
    if isinstance(value, str) and INTERPOLATION in value:
        raise ValueError(
            f"{where} holds the interpolation {value[:80]!r}, which is not resolved in a file that "
            "is read back: write its value"
        )


def _bounded(loader: type[Any]) -> type[Any]:
    """Return a loader of PyYAML that refuses aliases and deep nesting."""

    class Bounded(loader):
        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            mark = self.peek_event().start_mark
            if self.check_event(yaml.AliasEvent):
                raise yaml.composer.ComposerError(
                    None, None, "an alias (*name), which is not read: write its value", mark
                )
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise yaml.composer.ComposerError(None, None, f"more than {MAX_DEPTH} levels", mark)
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    return Bounded
