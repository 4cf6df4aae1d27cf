"""Hubs on this machine: one that serves files, one that never answers, one that is not there."""

import base64
import contextlib
import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import huggingface_hub
import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def use_hub(monkeypatch: pytest.MonkeyPatch, url: str, cache) -> None:
    """Make `huggingface_hub` ask `url` and keep files in `cache`."""
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@contextlib.contextmanager
def serving(files: dict[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """Serve files by `<repository>/<name>`; yields the address and the list of what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append(f"{self.command} {self.path}")
            repo, _, name = self.path.removeprefix("/").partition("/resolve/main/")
            content = files.get(f"{repo}/{name}")
            self.send_response(404 if content is None else 200)
            if content is None:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(content or b"").hexdigest()}"')
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if self.command == "GET" and content is not None:
                self.wfile.write(content)

        do_HEAD = do_GET = answer  # noqa: N815 (the names that http.server asks for)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """Yield the address of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def closed() -> str:
    """Return an address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


class FakeHub:
    """Models by name, each a list of commits, which are files by name."""

    def __init__(self) -> None:
        self.models: dict[str, list[dict[str, bytes]]] = {}
        self.asked: list[str] = []
        self.url = ""

    def files_at(self, repo: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Return the commit's hash and its files."""
        commits = self.models.get(repo, [])
        names = {f"{number + 1:040x}": files for number, files in enumerate(commits)}
        if revision == "main" and commits:
            return list(names.items())[-1]
        return (revision, names[revision]) if revision in names else None

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and content of an answer."""
        path = unquote(path.partition("?")[0])
        self.asked.append(f"{method} {path}")
        if path == "/api/repos/create":
            asked = json.loads(body)
            repo = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else ""
            self.models.setdefault(repo or asked["name"], [])
            return _json({"url": f"{self.url}/{repo or asked['name']}"})
        if path == "/api/validate-yaml":
            return _json({"errors": [], "warnings": []})
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/(\w+)/([^/]+)", path):
            return self._api(*match.groups(), body)
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)", path):
            return self._api(match[1], "revision", "main", body)
        if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            found = self.files_at(match[1], match[2])
            if found is not None and match[3] in found[1]:
                content = found[1][match[3]]
                tag = hashlib.sha256(content).hexdigest()
                return 200, {"X-Repo-Commit": found[0], "ETag": f'"{tag}"'}, content
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        return 404, {}, b""

    def _api(
        self, repo: str, what: str, revision: str, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if repo not in self.models:
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        found = self.files_at(repo, revision)
        if what == "preupload":
            files = json.loads(body)["files"]
            told = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files
            ]
            return _json({"files": told})
        if what == "commit":
            lines = [json.loads(line) for line in body.splitlines()]
            files = [line["value"] for line in lines if line["key"] == "file"]
            before = found[1] if found else {}
            new = {file["path"]: base64.b64decode(file["content"]) for file in files}
            self.models[repo].append({**before, **new})
            oid = f"{len(self.models[repo]):040x}"
            return _json({"commitUrl": f"{self.url}/{repo}/commit/{oid}", "commitOid": oid,
                          "pullRequestUrl": None, "hookOutput": ""})  # fmt: skip
        if found is None and self.models[repo]:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        sha, files = found or ("0" * 40, {})
        if what == "tree":
            return _json([{"type": "file", "path": name, "size": len(content), "oid": sha}
                          for name, content in files.items()])  # fmt: skip
        siblings = [{"rfilename": name, "size": len(files[name])} for name in files]
        return _json({"id": repo, "sha": sha, "siblings": siblings, "private": False, "tags": []})


def _json(values: object) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps(values).encode()


@contextlib.contextmanager
def hub_api(hub: FakeHub) -> Iterator[str]:
    """Serve the part of the hub's HTTP API that fetching and pushing models needs."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            status, headers, content = hub.answer(self.command, self.path, body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_HEAD = do_GET = do_POST = answer  # noqa: N815 (the names that http.server asks for)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub.url
    finally:
        server.shutdown()
        server.server_close()
