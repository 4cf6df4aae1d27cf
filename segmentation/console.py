"""Print to the terminal, and format values for it, for a shell and for Hydra."""

import math
import re
import shlex
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.text import Text

from segmentation.errors import ConfigError
from segmentation.system.redaction import shown


class PlainConsole(Console):
    """Prints text without credentials and control characters, and reads no markup in it.

    Names of files and classes may hold square brackets, and a stranger's anything.
    """

    def __init__(self, stderr: bool = False, soft_wrap: bool = False) -> None:
        super().__init__(
            stderr=stderr, soft_wrap=soft_wrap, markup=False, emoji=False, highlight=False
        )

    def render_str(self, text: str, **options: Any) -> Text:
        """Make a text of a string: rich calls it for all that it prints, cells of tables too."""
        return super().render_str(shown(text), **options)


console = PlainConsole()

PLAIN = re.compile(r"(\.{0,2}/|[a-z_])[\w/.+-]*", re.ASCII | re.IGNORECASE)
"""Values that Hydra reads as text without quotation marks, except `WORDS`."""
WORDS = ("true", "false", "null", "nan", "inf")


def show_summary(rows: Mapping[str, str]) -> None:
    """Print names and values, one pair per line and unwrapped, so that paths can be copied."""
    width = max(map(len, rows))
    for name, value in rows.items():
        console.print(f"{name:{width}}  {value}", soft_wrap=True)


def show_warnings(messages: Sequence[str]) -> None:
    """Print warnings again, below the score that they concern."""
    for message in messages:
        console.print(f"warning: {message}", style="yellow")


def show_error(message: object) -> None:
    """Print the message that ends a command."""
    print(f"error: {shown(str(message))}", file=sys.stderr)


def show_trace(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print a defect's stack trace as Python does, without credentials."""
    print(shown("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)


def show_next(where: str, *commands: str) -> None:
    """Print where the result is and the commands to type next, unwrapped so they can be copied."""
    lines = ["", where, "next:", *(f"  {command}" for command in commands)]
    console.print("\n".join(lines), soft_wrap=True)


def start_command(command: str) -> list[str]:
    """Return the words that start a command in a new process as this process was started.

    That is a script (`train.py`), `python -m segmentation train`, or `cityseg train`.
    """
    if _is_module():
        return [sys.executable, "-m", "segmentation", command]
    program = str(Path(sys.argv[0]).absolute())
    return [sys.executable, program, *([] if is_script() else [command])]


def typed(command: str) -> str:
    """Return what people type to start a command, in the way that this process was started."""
    if _is_module():
        return f"python -m segmentation {command}"
    clone = Path(__file__).resolve().parents[1] / f"{command}.py"
    if Path(sys.argv[0]).name == "cityseg" or not clone.is_file():
        return f"cityseg {command}"
    return f"python {command}.py"


def is_script() -> bool:
    """Return whether this process runs a script of a command, such as `train.py`."""
    return not _is_module() and sys.argv[0].endswith(".py")


def _is_module() -> bool:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec is not None and spec.name == "segmentation.__main__"


def argument(key: str, value: object) -> str:
    """Return ``key=value`` quoted for a shell and for Hydra, whatever characters it contains.

    Args:
        key: the option.
        value: see `quoted`.
    """
    return shlex.quote(f"{key}={quoted(value)}")


def quoted(value: object) -> str:
    """Return a value in Hydra's override grammar, strings quoted where needed.

    Args:
        value: a text or path, a number, a boolean, None, or a list, tuple or dictionary of these.

    Raises:
        ConfigError: a line break, or a key of a dictionary that Hydra's grammar cannot express.
    """
    if isinstance(value, dict):
        return f"{{{','.join(f'{_key(key)}:{quoted(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(quoted, value))}]"
    if value is None or isinstance(value, int | float):
        return "null" if value is None else str(value).lower()
    text = str(value)
    check_line_breaks(text)
    if PLAIN.fullmatch(text) and text.lower() not in WORDS:
        return text
    # Hydra keeps a backslash literally unless a quotation mark follows.
    escaped = re.sub(r"(\\*)('|$)", lambda end: 2 * end[1] + ("\\'" if end[2] else ""), text)
    return f"'{escaped}'"


def check_line_breaks(text: str) -> None:
    """Check that a value is one line, as logs, tables and commands to copy need it.

    Raises:
        ConfigError: it has line breaks.
    """
    if "\n" in text or "\r" in text:
        raise ConfigError(f"{text!r} has a line break: values are one line. Rename what it names.")


def _key(key: object) -> str:
    text = str(key)
    named = PLAIN.fullmatch(text) and text.lower() not in WORDS
    if not named and (isinstance(key, str) or not isinstance(key, int | float)):
        raise ConfigError(f"Hydra cannot read the key {text!r} of a mapping: put it into a file.")
    return text


def number(value: float) -> str:
    """Format a number with three digits; NaN as a dash."""
    return "–" if math.isnan(value) else f"{value:.3g}" if abs(value) >= 1 else f"{value:.3f}"


def percent(fraction: float) -> str:
    """Format a fraction as a percentage with one decimal; NaN as a dash."""
    return "–" if math.isnan(fraction) else f"{fraction:.1%}"


def duration(seconds: float) -> str:
    """Format seconds as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
