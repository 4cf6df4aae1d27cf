"""`--json` on every command: stdout holds one JSON document, all that people read is on stderr.

The document is the command's result or, with the exit code unchanged, ``{"error": message}``. NaN
and infinity become null. Nothing here imports torch.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from segmentation.cli.streams import Terminated, sigterm_raises, stdout_to_stderr
from segmentation.errors import SegmentationError
from segmentation.system.files import jsonable
from segmentation.system.ranks import rank

FLAG = "--json"


class Document:
    """The result of a command, for scripts.

    Attributes:
        result: plain values, see `jsonable`.
        jobs: the result of each job of a command that runs several; else None.
        error: the message of the error, if there was one.
    """

    def __init__(self) -> None:
        self.result: object = None
        self.jobs: list[object] | None = None
        self.error: str | None = None

    def content(self) -> Any:
        """Return the document as plain values: an error, and what was done before it.

        A result that JSON cannot express becomes an error.
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
        """Return the document as JSON, escaped: any encoding and any file name is possible."""
        return json.dumps(self.content(), indent=2, allow_nan=False) + "\n"

    def fail(self, error: BaseException, message: str | None = None) -> None:
        """Record how the command ended.

        Args:
            error: a `SystemExit` with code 0, or after a result, is no error.
            message: for people; None: that of the error.
        """
        if isinstance(error, SystemExit) and not isinstance(error, Terminated):
            if isinstance(error.code, str):  # Python prints it
                self.error = self.error or error.code
                return
            if not error.code or self.result is not None or self.error is not None:
                return
            message = f"exit code {error.code}" if error.__context__ is None else None
            error = error.__context__ or error  # raised while another error was handled
        if isinstance(error, SegmentationError):
            self.result = error.partial
        endings = {Terminated: "stopped by SIGTERM", KeyboardInterrupt: "interrupted"}
        name = "" if isinstance(error, SegmentationError) else f"{type(error).__name__}: "
        self.error = message or endings.get(type(error)) or f"{name}{error}"


def asks_for_help(words: Sequence[str]) -> bool:
    """Return whether a command line asks argparse for help, which is printed as text."""
    return any(word == "-h" or (len(word) > 2 and "--help".startswith(word)) for word in words)


@contextmanager
def json_output(
    words: list[str], asks_for_text: Callable[[Sequence[str]], bool] = asks_for_help
) -> Iterator[Document]:
    """Give the block a document to fill, and print it at the end if `--json` is among the words.

    Meanwhile stdout goes to stderr, also from C libraries and child processes; SIGTERM, unless
    handled elsewhere, ends the block as `Terminated`. Only rank zero prints a document.

    Args:
        words: the arguments; the flag is removed, so that ranks and jobs, which start the same
            command again, do not see it.
        asks_for_text: whether words ask for something that is answered in text.
    """
    document = Document()
    wanted = FLAG in words
    words[:] = [word for word in words if word != FLAG]
    if not wanted or asks_for_text(words):
        yield document
        return
    with stdout_to_stderr() as write, sigterm_raises():
        try:
            yield document
            jsonable([document.result, document.jobs])  # what JSON cannot express is a defect
        except BaseException as error:
            document.fail(error)
            raise
        finally:
            if rank() == 0:
                write(document.text())
