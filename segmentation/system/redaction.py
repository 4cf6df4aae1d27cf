"""Texts without the secrets in them: what is logged, printed or kept goes through here."""

import os
import re

PASSWORD = re.compile(r"(?<=://)(?:[^\s/@:]*:(?!\d+/)\S*|[^\s/]*)@")
"""From `://` to the last @ of the word, or without a password to the last before a slash. Digits
and a slash behind the colon are a port and a path, in which an @ is none of ours."""
PARAMETER = re.compile(r"(?i)([?&](?:password|passwd|pwd|token|api_?key|secret)=)[^&\s#]+")
FOLDERS = re.compile(
    r"(?<![\w.:/\\])(?:~|\.{1,2}|[A-Za-z]:)?[/\\]{1,2}"
    r"(?:[^\s/\\:,;'\"]+[/\\])*([^\s/\\:,;'\"]+)"
)
"""A path that tells where it begins, and its last part."""


def without_folders(text: str) -> str:
    """Return a text in which each path is its last part alone, such as a file's name.

    For what leaves the machine: folders tell of people and projects. In a text of any words paths
    are known by their beginning: ``/``, ``~``, ``./``, ``../`` or a drive's letter. Where a text is
    known to be a path, `last_part` leaves nothing to guess.
    """
    return FOLDERS.sub(r"\1", text)


def last_part(path: str) -> str:
    """Return what a path ends with, whatever folders lead there: of any kind, and relative too."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]


def redacted(text: str) -> str:
    """Return a text without passwords in URLs, and without W&B's key."""
    if key := os.environ.get("WANDB_API_KEY", ""):
        text = text.replace(key, "***")
    return PARAMETER.sub(r"\1***", PASSWORD.sub("***@", text))
