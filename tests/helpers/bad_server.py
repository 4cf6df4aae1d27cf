"""A web server on this machine that misbehaves as told."""

import socket
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

STATUS = {
    "busy": 503, "too many": 429, "wait long": 429, "gone": 404, "refuse": 403, "past the end": 416,
}  # fmt: skip
FAULTS = (*STATUS, "drop", "silent", "wrong", "endless")


class BadServer:
    """Serves `files` (path -> bytes) on 127.0.0.1; used as a context manager.

    Attributes:
        faults: what the next requests for a path meet, in order, each one of `FAULTS`.
        ranges: whether ``Range`` is honoured.
        chunked: whether answers come in chunks without ``Content-Length``, as GitHub's archives do.
        requests: (path, Range or None) of every request.
        stall_after: requests beyond this number are never answered.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.faults: dict[str, list[str]] = defaultdict(list)
        self.ranges = True
        self.chunked = False
        self.stall_after: int | None = None
        self.requests: list[tuple[str, str | None]] = []
        self.lock = threading.Lock()
        self.closing = threading.Event()
        owner = self

        class Handler(_Handler):
            server_of = owner

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> "BadServer":
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    def asked(self) -> list[str]:
        """Return the paths of all requests, in order."""
        with self.lock:
            return [path for path, _ in self.requests]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of: BadServer

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        owner, path = self.server_of, unquote(self.path).lstrip("/")
        span = self.headers.get("Range")
        with owner.lock:
            owner.requests.append((path, span))
            number = len(owner.requests)
            fault = owner.faults[path].pop(0) if owner.faults[path] else None
        if owner.stall_after is not None and number > owner.stall_after:
            owner.closing.wait(30)
        elif fault in STATUS:
            self._status(fault)
        elif path not in owner.files:
            self._status("gone")
        elif fault == "endless":
            self._endless()
        else:
            self._content(owner.files[path], span, fault)

    def _status(self, fault: str) -> None:
        self.send_response(STATUS[fault])
        if STATUS[fault] == 429:
            self.send_header("Retry-After", "3600" if fault == "wait long" else "0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _content(self, data: bytes, span: str | None, fault: str | None) -> None:
        start = (
            int(span.removeprefix("bytes=").rstrip("-")) if span and self.server_of.ranges else 0
        )
        if fault == "wrong":
            data = bytes(byte ^ 1 for byte in data)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        rest = data[start:]
        if self.server_of.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        sent = rest[: len(rest) // 2] if fault in ("drop", "silent") else rest
        self._send(sent)
        if fault == "silent":
            self.server_of.closing.wait(5)
        if fault in ("drop", "silent"):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif self.server_of.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _send(self, data: bytes) -> None:
        if not self.server_of.chunked:
            self.wfile.write(data)
            return
        for begin in range(0, len(data), 10_000):
            piece = data[begin : begin + 10_000]
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")

    def _endless(self) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        until = time.monotonic() + 10
        try:
            while time.monotonic() < until:
                self.wfile.write(bytes(2**16))
        except OSError:  # the client has had enough
            pass
