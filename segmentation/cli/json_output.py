"""`--json` on every command: stdout holds one JSON document, and all that people read is on stderr.

The document is the command's result or, with the exit code kept, ``{"error": message}``. Scripts
get valid JSON: a number that is none (NaN, infinity) is null. Nothing here imports torch.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from types import FrameType
from typing import Any, TextIO

from segmentation.errors import SegmentationError
from segmentation.system.files import jsonable
from segmentation.system.ranks import rank

FLAG = "--json"


class Terminated(SystemExit):
    """SIGTERM asked the command to end."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


class Document:
    """What a command leaves for scripts.

    Attributes:
        result: plain values, see `jsonable`.
        jobs: where the command does several jobs, the result of each; None where it does one.
        error: what went wrong, if anything did.
    """

    def __init__(self) -> None:
        self.result: object = None
        self.jobs: list[object] | None = None
        self.error: str | None = None

    def content(self) -> Any:
        """Return the document as plain values. Beside an error is what was done before it.

        It always can be said: of a result that JSON has no words for it says so.
        """
        try:
            content = jsonable(self.result if self.jobs is None else self.jobs)
        except Exception as error:  # an object's own `to_json` may raise anything
            return {"error": self.error or f"{type(error).__name__}: {error}"}
        if self.error is None:
            return content
        if self.jobs is not None:
            content = {"results": content}
        return {"error": self.error, **(content if isinstance(content, dict) else {})}

    def text(self) -> str:
        """Return the document as JSON."""
        # Escaped: any encoding can take that, and names of files that are not valid Unicode.
        return json.dumps(self.content(), indent=2, allow_nan=False) + "\n"

    def fail(self, error: BaseException, message: str | None = None) -> None:
        """Note how the command ended.

        Args:
            error: a `SystemExit` is none where it has the code 0 or there is a result.
            message: what people are told; None for that of the error.
        """
        if isinstance(error, Terminated):
            message = message or "stopped by SIGTERM"
        elif isinstance(error, KeyboardInterrupt):
            message = message or "interrupted"
        elif isinstance(error, SystemExit):
            if not isinstance(error.code, int | None):  # words, which Python prints
                self.error = self.error or str(error.code)
                return
            if not error.code or self.result is not None or self.error is not None:
                return
            if error.__context__ is None:
                self.error = f"exit code {error.code}"
                return
            error = error.__context__  # what was being handled when it was raised
        if isinstance(error, SegmentationError):
            self.result = error.partial
            message = message or str(error)
        self.error = message or f"{type(error).__name__}: {error}"


def asks_for_help(words: Sequence[str]) -> bool:
    """Return whether a command line asks argparse for help, which prints it as text."""
    return any(one == "-h" or (len(one) > 2 and "--help".startswith(one)) for one in words)


@contextmanager
def json_output(
    words: list[str], question: Callable[[Sequence[str]], bool] = asks_for_help
) -> Iterator[Document]:
    """Give the block a document to fill, and print it at the end if `--json` asks for that.

    Meanwhile whatever goes to stdout goes to stderr, also from libraries in C and from child
    processes; and SIGTERM, if nobody else handles it, ends the block as `Terminated`. Of several
    ranks only the first prints a document.

    Args:
        words: of the command line, without the command; the flag is taken out, so that ranks and
            jobs, which start the same command again, do not see it.
        question: whether words ask for something that is answered in text: there is no result then.
    """
    document = Document()
    asked = FLAG in words
    words[:] = [one for one in words if one != FLAG]
    if not asked or question(words):
        yield document
        return
    with _stdout_kept() as write, _terminated():
        try:
            yield document
            jsonable([document.result, document.jobs])  # what cannot be said is a defect
        except BaseException as error:
            document.fail(error)
            raise
        finally:
            if rank() == 0:
                write(document.text())


@contextmanager
def _terminated() -> Iterator[None]:
    """Let the first SIGTERM raise `Terminated` in this process; later ones do nothing."""
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    process, told = os.getpid(), False

    def leave(number: int, frame: FrameType | None) -> None:
        nonlocal told
        if os.getpid() != process:  # a fork: what it would unwind is its parent's
            os._exit(128 + number)
        if not told:
            told = True
            raise Terminated

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _stdout_kept() -> Iterator[Callable[[str], object]]:
    """Turn stdout away to stderr; give the block what writes to the real one."""
    stdout: TextIO = sys.stdout
    if stdout is not sys.__stdout__:  # a caller in this process has put its own there
        with redirect_stdout(sys.stderr):
            yield stdout.write
        return
    stdout.flush()
    # The copy is not inherited, so that a reader does not wait for processes that stay behind.
    with os.fdopen(os.dup(stdout.fileno()), "w", encoding="ascii") as kept:
        os.dup2(sys.stderr.fileno(), stdout.fileno())
        sys.stdout = sys.stderr  # both for good: threads and exit handlers print later still
        yield kept.write
