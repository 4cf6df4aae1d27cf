"""Print on any terminal, pipe or log file: other encodings, and readers that leave."""

import codecs
import io
import os
import stat
import sys
from typing import Any

SIMILAR = dict(zip("█▓░–—·×…äöüé", "#=---|x.aoue", strict=True))
"""ASCII replacements, each one character wide so that tables stay aligned."""


class Pipe(io.FileIO):
    """A pipe whose reader may leave (``| head``): what follows is dropped, and the work goes on."""

    def write(self, data: Any, /) -> int:
        """Write bytes, or drop them."""
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())  # child processes and C libraries too
            os.close(nowhere)
            return len(data)


def open_pipe(descriptor: int, close: bool = True) -> io.BufferedWriter:
    """Open a file descriptor for writing as a `Pipe`."""
    return io.BufferedWriter(Pipe(descriptor, "wb", closefd=close))


def make_printable() -> None:
    """Let stdout and stderr print whatever the encoding, and whether or not somebody reads."""
    codecs.register_error("similar", _similar)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, stream)
        elif isinstance(stream, io.TextIOWrapper):  # else a caller has replaced it
            stream.reconfigure(errors="similar")
            own = stream is getattr(sys, f"__{name}__")  # a caller's is not ours to detach
            if own and stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode):
                _leave_reader(name, stream)


def _leave_reader(name: str, stream: io.TextIOWrapper) -> None:
    """Replace a stream by one that outlives its reader."""
    stream.flush()
    pipe = open_pipe(stream.fileno(), close=False)
    lines = name == "stderr" or stream.line_buffering or stream.write_through
    lasting = io.TextIOWrapper(pipe, stream.encoding, "similar", line_buffering=lines)
    setattr(sys, name, lasting)
    setattr(sys, f"__{name}__", lasting)
    stream.detach()


def _similar(error: UnicodeError) -> tuple[str | bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    return "".join(SIMILAR.get(character, "?") for character in text), error.end
