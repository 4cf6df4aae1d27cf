"""Print characters beyond ASCII on terminals, pipes and log files whose encoding lacks them."""

import codecs
import io
import sys

SIMILAR = dict(zip("█▓░–—·×…äöüé", "#=---|x.aoue", strict=True))
"""ASCII replacements, each one character wide so that tables stay aligned."""


def replace_unprintable() -> None:
    """Replace characters that stdout and stderr cannot encode by similar ones."""
    codecs.register_error("similar", _similar)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # else a caller has replaced it
            stream.reconfigure(errors="similar")


def _similar(error: UnicodeError) -> tuple[str | bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    return "".join(SIMILAR.get(character, "?") for character in text), error.end
