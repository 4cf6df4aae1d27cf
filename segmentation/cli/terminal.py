"""Signs beyond ASCII, where a terminal, a pipe or a log file has an encoding without them."""

import codecs
import io
import sys

LIKE = {
    "█": "#", "▓": "=", "░": "-", "–": "-", "—": "-", "·": "|", "×": "x", "…": ".",
    "ä": "a", "ö": "o", "ü": "u", "é": "e",
}  # fmt: skip
"""What stands for a sign; tables stay straight because each is one character wide."""


def plain_where_needed() -> None:
    """Let what is printed reach any terminal: a sign that it does not know becomes one like it."""
    codecs.register_error("like", _like)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # else a caller has put its own there
            stream.reconfigure(errors="like")


def _like(error: UnicodeError) -> tuple[str | bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(LIKE.get(one, "?") for one in error.object[error.start : error.end]), error.end
