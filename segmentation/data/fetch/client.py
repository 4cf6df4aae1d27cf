"""HTTP over a bad line: pauses that grow, downloads that go on, answers that end."""

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
PASSING = {408, 425, 429, 500, 502, 503, 504}
"""The answers after which the same request may succeed a little later."""

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How long a client keeps at it; all times in seconds.

    Args:
        attempts: requests for the same thing before it gives up.
        pause: before the second attempt; it doubles from one to the next.
        longest: no pause is longer; a server that asks for more ends the download.
        connect: until a connection stands.
        silence: between two pieces of an answer.
    """

    attempts: int = 7
    pause: float = 0.5
    longest: float = 60.0
    connect: float = 5.0
    silence: float = 15.0


class UnreachableError(DataError):
    """No connection to the server ever stood: a closed network, a wrong address."""


class DroppedError(Exception):
    """An attempt failed in a way that the next one need not.

    Args:
        reason: what happened, for people.
        pause: seconds the server asks to be left alone.
    """

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


class Client:
    """Requests to one server, from several threads.

    Args:
        patience: how long it keeps at it.
        on_bytes: called with the number of bytes of each piece that arrives.
    """

    def __init__(self, patience: Patience, on_bytes: Callable[[int], None]) -> None:
        self._patience = patience
        self._on_bytes = on_bytes
        self._reached = False
        self._stopped = threading.Event()
        # Shared by the threads: its connection pool and its cookies lock themselves.
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS))

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self._session.close()

    def stop(self) -> None:
        """End what other threads are doing, their pauses included."""
        self._stopped.set()

    def file(self, url: str, digest: str, limit: int) -> bytes:
        """Fetch one file.

        What arrived before a connection dropped is kept, and the rest asked for with ``Range``; a
        server that ignores it sends the whole file again.

        Args:
            url: its address.
            digest: its SHA-256.
            limit: more bytes than these are no such file.

        Raises:
            DataError: the server keeps failing or sends something else.
        """
        data = bytearray()

        def attempt() -> bytes:
            with self.open(url, start=len(data)) as (begins, pieces):
                del data[begins:]
                for piece in pieces:
                    data.extend(piece)
                    if len(data) > limit:
                        raise DataError(
                            f"{url} was cut off after {limit} bytes: the file that is meant is "
                            "smaller. Use another server."
                        )
            if sha256(data) != digest:
                data.clear()
                raise DroppedError("it sends another file, with another SHA-256")
            return bytes(data)

        return self.retry(url, attempt)

    def retry(self, url: str, attempt: Callable[[], T]) -> T:
        """Return what `attempt` does, called again with growing pauses while that is dropped.

        Raises:
            UnreachableError: the very first contact failed, twice.
            DataError: every attempt was dropped, or the server wants to be left alone for longer
                than anybody waits.
        """
        for count in range(1, self._patience.attempts + 1):
            try:
                return attempt()
            except DroppedError as dropped:
                reason, asked = str(dropped), dropped.pause
            if not self._reached and count == 2:
                raise UnreachableError(f"{urlsplit(url).netloc} cannot be reached: {reason}.")
            if asked > self._patience.longest:
                raise DataError(f"{url}: {reason}, and wants to be left alone for {asked:.0f} s.")
            pause = min(self._patience.pause * 2 ** (count - 1), self._patience.longest)
            if count < self._patience.attempts and self._stopped.wait(max(pause, asked)):
                break
        raise DataError(f"{url} failed {count} times. The last time: {reason}.")

    @contextmanager
    def open(self, url: str, start: int = 0) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Ask for a file from byte `start` on.

        Yields:
            The byte at which the answer begins, and its pieces.

        Raises:
            DroppedError: the connection failed, or the server is overloaded.
            DataError: the server refuses, or the address is none.
        """
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        timeout = (self._patience.connect, self._patience.silence)
        try:
            with self._session.get(url, headers=headers, stream=True, timeout=timeout) as answer:
                self._reached = True
                if answer.status_code == 416:  # nothing from there on: begin again
                    yield 0, iter(())
                    return
                _check(url, answer)
                span = answer.headers.get("Content-Range", "")
                yield start if span.startswith(f"bytes {start}-") else 0, self._pieces(answer)
        except requests.RequestException as error:
            if isinstance(error, ValueError):  # no address at all
                raise DataError(f"{url} is no address: {error}.") from error
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
    if answer.status_code not in PASSING:
        raise DataError(f"{url}: {reason}.")
    asked = answer.headers.get("Retry-After", "")
    raise DroppedError(reason, float(asked) if asked.isdecimal() else 0.0)


def _reason(error: Exception) -> str:
    """Return the innermost cause of an error, which says in words what all around it wrap."""
    inner: BaseException = error
    while True:
        causes = [getattr(inner, "reason", None), *inner.args]
        nested = next((cause for cause in causes if isinstance(cause, BaseException)), None)
        if nested is None:
            break
        inner = nested
    return re.sub(r"^\w*Connection\w*\(.*?\): ", "", str(inner)).rstrip(".") or repr(inner)
