"""Remove secrets and folders from text that is logged, printed, kept or published."""

import logging
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from segmentation.system.escaping import printable

HIDDEN = "***"
CREDENTIALS = re.compile(r"(?:(?<=://)|(?<=[\w+.-]{2}:/)(/?))(?:[^\s/@:]*:(?!\d+/)\S*|[^\s/]*)@")
"""With a password, from `://` to the last @ of the word; without one, to the last @ before a slash.
Digits and a slash after the colon are a port and a path, whose @ does not end any credentials.
A URL that was taken for a path has one slash after its scheme, of at least two letters."""
SECRET_WORD = r"pass|pwd|token|api_?key|secret|signature|credential|auth"
SECRET_KEY = rf"(?:[^\s=&#;]*(?:{SECRET_WORD})[^\s=&#;]*|key|sig)"
PARAMETER = re.compile(rf"(?i)([?&#;]{SECRET_KEY}=)[^&\s#;'\"]+")
FOLDERS = re.compile(
    r"(?<![\w.:/\\])(?:~|\.{1,2}|[A-Za-z]:)?[/\\]{1,2}"
    r"(?:[^\s/\\:,;'\"]+[/\\])*([^\s/\\:,;'\"]+)"
)
"""A path, recognised by its beginning, and its last component."""


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Replace credentials in URLs, W&B's API key and the given secrets by ``***``."""
    for secret in filter(None, (os.environ.get("WANDB_API_KEY"), *secrets)):
        text = text.replace(secret, HIDDEN)
    return redact_parameters(CREDENTIALS.sub(rf"\1{HIDDEN}@", text))


def redacted(values: Any) -> Any:
    """Return plain values with `redact` applied to each text."""
    if isinstance(values, Mapping):
        return {key: redacted(value) for key, value in values.items()}
    if isinstance(values, list):
        return [redacted(value) for value in values]
    return redact(values) if isinstance(values, str) else values


class RedactingFormatter(logging.Formatter):
    """Formats what is logged without credentials and control characters, whoever logs it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return shown(super().format(record))


def shown(text: str) -> str:
    """Return a text as it may be logged or printed, see `redact` and `escaping.printable`."""
    return printable(redact(text))


def redact_parameters(text: str) -> str:
    """Replace secret query parameters of URLs, such as ``?password=``, by ``***``."""
    return PARAMETER.sub(rf"\1{HIDDEN}", text)


def strip_folders(text: str) -> str:
    """Reduce every path in a text to its last component, because folders name people and projects.

    A path is recognised by its beginning: ``/``, ``~``, ``./``, ``../`` or a drive letter. Use
    `last_component` where the whole text is a path.
    """
    return FOLDERS.sub(r"\1", text)


def last_component(path: str) -> str:
    """Return the last component of a POSIX or Windows path, absolute or relative."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]
