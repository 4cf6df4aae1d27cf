"""`--json` on every command: stdout holds one JSON document, and all that people read is on stderr.

The document is the command's result or, with the exit code kept, ``{"error": message}``. Scripts
get valid JSON: a number that is none (NaN, infinity) is null. Nothing here imports torch.
"""

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TextIO

from segmentation.errors import SegmentationError
from segmentation.ranks import rank

FLAG = "--json"
QUESTIONS = (
    "--help", "-h", "--hydra-help", "--version", "--cfg", "-c", "--info", "-i",
    "--shell-completion", "-sc",
)  # fmt: skip
"""What Hydra answers by itself, as text: there is no result then."""


class Document:
    """What a command leaves for scripts.

    Attributes:
        result: plain values, see `plain`.
        error: what went wrong, if anything did.
    """

    def __init__(self) -> None:
        self.result: object = None
        self.error: str | None = None

    def text(self) -> str:
        """Return the document. An error has beside it what was done before it (`partial`)."""
        content = plain(self.result)
        if self.error is not None:
            content = {"error": self.error, **(content if isinstance(content, dict) else {})}
        # Escaped: any encoding can take that, and names of files that are not valid Unicode.
        return json.dumps(content, indent=2, allow_nan=False) + "\n"

    def fail(self, error: BaseException, message: str | None = None) -> None:
        """Note how the command ended.

        Args:
            error: a `SystemExit` is none where it has the code 0 or there is a result.
            message: what people are told; None for that of the error.
        """
        if isinstance(error, SystemExit):
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


@contextmanager
def json_output(arguments: list[str]) -> Iterator[Document]:
    """Give the block a document to fill, and print it at the end if `--json` asks for that.

    Meanwhile whatever goes to stdout goes to stderr, also from libraries in C and from child
    processes. Of several ranks only the first prints a document.

    Args:
        arguments: of the command line; the flag is taken out, so that ranks and jobs, which start
            the same command again, do not see it.
    """
    document = Document()
    asked = FLAG in arguments
    arguments[:] = [one for one in arguments if one != FLAG]
    if not asked or any(one.partition("=")[0] in QUESTIONS for one in arguments):
        yield document
        return
    with _stdout_kept() as write:
        try:
            yield document
        except BaseException as error:
            document.fail(error)
            raise
        finally:
            if rank() == 0:
                write(document.text())


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


def plain(value: object) -> Any:
    """Return a value as JSON has it.

    Args:
        value: what JSON knows, paths, NumPy's numbers and arrays, an object with `to_json`, and
            dictionaries, sequences and sets of these.

    Raises:
        TypeError: it is something else.
    """
    if hasattr(value, "to_json"):
        value = value.to_json()
    if hasattr(value, "tolist"):  # NumPy's, without importing it
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, Sequence | AbstractSet):
        return [plain(one) for one in value]
    raise TypeError(f"a {type(value).__name__} cannot be said in JSON")
