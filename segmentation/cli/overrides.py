"""Prepare the words of a command line for Hydra.

Nothing here imports torch.
"""

from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException


def asks_hydra(words: Sequence[str]) -> bool:
    """Return whether Hydra answers a command line itself, in text (`--help`, `--cfg`, ...)."""
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # Hydra prints it again
        try:
            asked = get_args_parser().parse_args(list(words))
        except SystemExit as done:
            return not done.code  # 0: --version; else invalid
    return any((asked.help, asked.hydra_help, asked.cfg, asked.info, asked.shell_completion))


def readable(argument: str) -> str:
    """Quote an argument of the command line where Hydra could not parse it otherwise.

    Hydra takes ``data.root=/my data`` or ``data.group=^(.*?)_`` for its own grammar and fails,
    and the shell has removed the user's quotation marks by then: such a value is quoted again.
    """
    key, equals, value = argument.partition("=")
    mapping = value.startswith("{") and ":" in value  # data.bands={stem}_B04.tif,... is none
    grammar = mapping or value.startswith(("[", "'", '"'))  # Hydra reports its errors
    if not equals or key.startswith("-") or grammar or _parses(argument):
        return argument
    from segmentation.console import quoted  # rarely needed

    again = f"{key}={quoted(value)}"
    return again if _parses(again) else argument


def _parses(argument: str) -> bool:
    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        return False
    return True
