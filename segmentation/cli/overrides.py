"""Prepare the words of a command line for Hydra.

Nothing here imports torch.
"""

import os
import re
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from segmentation.config import PATHS, PATHS_OR_NAMES

OPENING, CLOSING = "([{", ")]}"
HOME = re.compile(r"~[\w.-]*(?=/|$)")
FUNCTION = re.compile(
    r"(choice|range|interval|glob|tag|sort|shuffle|extend_list|int|float|str|bool|json_str)\s*\("
)
"""Begins a value that is a function of Hydra's grammar."""
PATH_OPTIONS = {
    *PATHS, *PATHS_OR_NAMES, "convert", "hydra.run.dir", "hydra.sweep.dir", "input", "model",
    "output", "rerun", "resume", "run", "runs", "sweep", "targets",
}  # fmt: skip
"""Options whose value is a path, also where it looks like a number."""
SEVERAL = re.compile(r"(\[|choice\()(.*)(\]|\))")


def asks_hydra(words: Sequence[str]) -> bool:
    """Return whether Hydra answers a command line itself, in text (`--help`, `--cfg`, ...)."""
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # Hydra prints it again
        try:
            asked = get_args_parser().parse_args(list(words))
        except SystemExit as done:
            return not done.code  # 0: --version; else invalid
    return any((asked.help, asked.hydra_help, asked.cfg, asked.info, asked.shell_completion))


def flags_first(words: Sequence[str]) -> list[str]:
    """Return a command line with its flags before its overrides, where argparse wants them.

    Python's argparse refuses ``seed=0 -m data.size=a,b``, which has overrides on both sides.
    """
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # Hydra prints it again
        try:
            overrides = get_args_parser().parse_intermixed_args(list(words)).overrides
        except SystemExit:  # invalid, or answered, as --version
            return list(words)
    flags, left = [], list(overrides)
    for word in words:
        if left and word == left[0]:
            left.pop(0)
        else:
            flags.append(word)
    return [*flags, *overrides]


def sweeps(words: Sequence[str]) -> bool:
    """Return whether a command line asks for a sweep."""
    return any(
        word in ("-m", "hydra.mode=MULTIRUN") or (len(word) > 3 and "--multirun".startswith(word))
        for word in words
    )


def readable(word: str, several: bool = False) -> str:
    """Quote the values in a word of the command line where Hydra could not parse them otherwise.

    Hydra takes ``data.root=/my data``, ``data.root=~/data`` or ``data.group=^(.*?)_`` for its own
    grammar and fails, and the shell has removed the user's quotation marks by then: such a value is
    quoted again, and a home directory that the shell left is expanded. What is a list, a mapping, a
    function or quoted stays so. A path such as ``data.root=2024`` is quoted too, as Hydra would
    make a number of it.

    Args:
        word: as typed.
        several: commas outside brackets separate the values of a sweep.
    """
    key, equals, value = word.partition("=")
    if not equals:
        return word
    if key.startswith("-"):  # --config-dir=~/conf
        return f"{key}={_at_home(value)}"
    values = _split(value) if several else [value]
    if key.lstrip("+") in PATH_OPTIONS:
        values = [_as_text(text) for text in values]
        word = f"{key}={','.join(values)}"
    if _parses(word):
        return word
    again = f"{key}={','.join(map(_element, values))}"
    return again if _parses(again) else word


def _element(text: str) -> str:
    """Return one value so that Hydra can parse it; its own grammar, if invalid, as it is."""
    if _parses(f"key={text}"):
        return text
    if several := SEVERAL.fullmatch(text):
        return f"{several[1]}{','.join(map(_element, _split(several[2])))}{several[3]}"
    if text.startswith("{") and text.endswith("}") and ":" in text:
        pairs = (pair.partition(":") for pair in _split(text[1:-1]))
        return f"{{{','.join(f'{key}{colon}{_element(item)}' for key, colon, item in pairs)}}}"
    # Hydra reports its errors; `{stem}_B04.tif,...` of data.bands is no mapping
    mapping = text.startswith("{") and ":" in text
    if mapping or text.startswith(("[", "'", '"')) or FUNCTION.match(text) or _is_broken(text):
        return text
    from segmentation.console import quoted  # rarely needed

    return quoted(_at_home(text))


def _as_text(text: str) -> str:
    """Quote what Hydra would read as a number or a truth value, such as a folder named 2024."""
    if text.startswith("[") and text.endswith("]"):
        return f"[{','.join(map(_as_text, _split(text[1:-1])))}]"
    if _parses(f"key={text}"):
        value = OverridesParser.create().parse_override(f"key={text}").value()
        return f"'{text}'" if isinstance(value, int | float) else text
    return text


def _split(text: str) -> list[str]:
    """Split at commas outside quotation marks and brackets; all in one where these don't match."""
    parts, open_brackets, quote = [""], "", ""
    for character in text:
        if quote:
            quote = "" if character == quote and not parts[-1].endswith("\\") else quote
        elif character in "'\"" and parts[-1].rstrip(" \t")[-1:] in ("", ",", ":", *OPENING):
            quote = character
        elif character in OPENING:
            open_brackets += character
        elif open_brackets and character == CLOSING[OPENING.index(open_brackets[-1])]:
            open_brackets = open_brackets[:-1]
        elif character == "," and not open_brackets:
            parts.append("")
            continue
        parts[-1] += character
    return [part.strip(" \t") for part in parts] if not open_brackets and not quote else [text]


def _is_broken(text: str) -> bool:
    return "\n" in text or "\r" in text


def _at_home(text: str) -> str:
    return os.path.expanduser(text) if HOME.match(text) else text


def _parses(argument: str) -> bool:
    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        return False
    return True
