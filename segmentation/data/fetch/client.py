"""An HTTP client for unreliable connections: growing pauses, resumed downloads, time-outs.

urllib3's Retry covers a request up to its headers. A body that breaks off, a wrong checksum and a
damaged archive need a loop of our own; with Retry below it attempts would multiply, and its pauses
cannot be interrupted when another thread fails. So one loop does all of it.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from segmentation.data.fetch.checksums import sha256
from segmentation.errors import DataError

CONNECTIONS = 4
CHUNK = 2**14
TEMPORARY = {408, 425, 429, 500, 502, 503, 504}
"""Status codes after which the same request may succeed later."""

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """The limits of a client's retries; all times in seconds.

    Args:
        attempts: attempts for the same file before giving up.
        pause: before the second attempt; doubled before each further one.
        longest: the longest pause; a server that asks for a longer one ends the download.
        connect: time-out of a connection.
        silence: time-out between two chunks of a response.
    """

    attempts: int = 7
    pause: float = 0.5
    longest: float = 60.0
    connect: float = 5.0
    silence: float = 15.0


class UnreachableError(DataError):
    """The server was never reached: no network, or a wrong address."""


class DroppedError(Exception):
    """A temporary failure of an attempt.

    Args:
        reason: for the message.
        pause: the pause that the server asks for, in seconds.
    """

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


class Client:
    """Requests to one server, from several threads.

    Args:
        patience: the limits of retries.
        on_bytes: called with the size of each chunk that arrives.
    """

    def __init__(self, patience: Patience, on_bytes: Callable[[int], None]) -> None:
        self._patience = patience
        self._on_bytes = on_bytes
        self._reached = False
        self._stopped = threading.Event()
        # Shared by the threads: connection pool and cookies are thread-safe.
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS))

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self._session.close()

    def stop(self) -> None:
        """Stop the downloads and pauses of all threads."""
        self._stopped.set()

    def file(self, url: str, digest: str, limit: int) -> bytes:
        """Fetch one file.

        After a dropped connection the rest is requested with ``Range``; a server that ignores the
        header sends the whole file again.

        Args:
            url: its address.
            digest: its SHA-256.
            limit: the largest size accepted, in bytes.

        Raises:
            DataError: the server keeps failing or sends another file.
        """
        data = bytearray()

        def attempt() -> bytes:
            with self.open(url, start=len(data)) as (begins, pieces):
                del data[begins:]
                for piece in pieces:
                    data.extend(piece)
                    if len(data) > limit:
                        raise DataError(
                            f"{url} was stopped after {limit} bytes: the expected file is "
                            "smaller. Use another server."
                        )
            if sha256(data) != digest:
                data.clear()
                raise DroppedError("it sends another file, with another SHA-256")
            return bytes(data)

        return self.retry(url, attempt)

    def retry(self, url: str, attempt: Callable[[], T]) -> T:
        """Return the result of `attempt`, repeated with growing pauses on temporary failures.

        Raises:
            UnreachableError: the first two connections failed.
            DataError: every attempt failed, or the server asks for a pause longer than
                `Patience.longest`.
        """
        for count in range(1, self._patience.attempts + 1):
            try:
                return attempt()
            except DroppedError as dropped:
                reason, asked = str(dropped), dropped.pause
            if not self._reached and count == 2:
                raise UnreachableError(f"{urlsplit(url).netloc} cannot be reached: {reason}.")
            if asked > self._patience.longest:
                raise DataError(f"{url}: {reason}, and asks for a pause of {asked:.0f} s.")
            pause = min(self._patience.pause * 2 ** (count - 1), self._patience.longest)
            if count < self._patience.attempts and self._stopped.wait(max(pause, asked)):
                break
        raise DataError(f"{url} failed {count} times. The last time: {reason}.")

    @contextmanager
    def open(self, url: str, start: int = 0) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Request a file from byte `start` on.

        Yields:
            The byte at which the response begins, and its chunks.

        Raises:
            DroppedError: the connection failed, or the server is overloaded.
            DataError: the server refuses, or the address is invalid.
        """
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        timeout = (self._patience.connect, self._patience.silence)
        try:
            with self._session.get(url, headers=headers, stream=True, timeout=timeout) as answer:
                self._reached = True
                if answer.status_code == 416:  # no bytes from there on: start again
                    yield 0, iter(())
                    return
                _check(url, answer)
                span = answer.headers.get("Content-Range", "")
                yield start if span.startswith(f"bytes {start}-") else 0, self._pieces(answer)
        except requests.RequestException as error:
            if isinstance(error, ValueError):  # an invalid address
                raise DataError(f"{url} is an invalid address: {error}.") from error
            raise DroppedError(_reason(error)) from error

    def _pieces(self, answer: requests.Response) -> Iterator[bytes]:
        for piece in answer.iter_content(CHUNK):
            if self._stopped.is_set():
                raise DroppedError("the download was stopped")
            self._on_bytes(len(piece))
            yield piece


def _check(url: str, answer: requests.Response) -> None:
    if answer.ok:
        return
    reason = f"the server answers {answer.status_code} {answer.reason}"
    if answer.status_code not in TEMPORARY:
        raise DataError(f"{url}: {reason}.")
    asked = answer.headers.get("Retry-After", "")
    raise DroppedError(reason, float(asked) if asked.isdecimal() else 0.0)


def _reason(error: Exception) -> str:
    """Return the message of an error's innermost cause."""
    inner: BaseException = error
    while True:
        causes = [getattr(inner, "reason", None), *inner.args]
        nested = next((cause for cause in causes if isinstance(cause, BaseException)), None)
        if nested is None:
            break
        inner = nested
    return re.sub(r"^\w*Connection\w*\(.*?\): ", "", str(inner)).rstrip(".") or repr(inner)
