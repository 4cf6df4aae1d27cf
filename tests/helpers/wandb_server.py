"""An imitation of W&B's server: as much of it as a run with curves asks for."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HISTORY, SUMMARY, EVENTS = "wandb-history.jsonl", "wandb-summary.json", "wandb-events.jsonl"


@dataclass
class StoredRun:
    """One run as the server keeps it: lines of its files, by their offset."""

    config: str = "{}"
    group: str | None = None
    lines: dict[str, dict[int, str]] = field(default_factory=dict)

    def count(self, name: str) -> int:
        return max(self.lines.get(name, {}), default=-1) + 1

    def curve(self, key: str) -> list[tuple[int, float]]:
        """Return (trainer/global_step, value) in the order of the lines."""
        return [(row["trainer/global_step"], row[key]) for row in self._history() if key in row]

    def summary(self) -> dict[str, Any]:
        """Return the values that the table of runs shows."""
        lines = [line for _, line in sorted(self.lines.get(SUMMARY, {}).items())]
        return _flat(json.loads(lines[-1])) if lines else {}

    def own_steps(self) -> list[int]:
        """Return W&B's own count of what was logged, by which its server knows a line."""
        return [row["_step"] for row in self._history()]

    def _history(self) -> list[dict[str, Any]]:
        return [json.loads(line) for _, line in sorted(self.lines.get(HISTORY, {}).items())]


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= (
            _flat(value, f"{prefix}{key}.")
            if isinstance(value, dict)
            else {f"{prefix}{key}": value}
        )
    return flat


class ImitationServer(ThreadingHTTPServer):
    """Answers what wandb-core asks, and keeps what it is sent in `runs`, by their id."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        self.runs: dict[str, StoredRun] = {}
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: ImitationServer

    def do_GET(self) -> None:
        self._answer({})

    def do_PUT(self) -> None:  # the content of files
        self._body()
        self._answer({})

    def do_POST(self) -> None:
        body = json.loads(self._body() or b"{}")
        if self.path.endswith("/file_stream"):
            self._keep(self.path.split("/")[-2], body.get("files") or {})
            self._answer({"exitcode": None, "limits": {}})
        else:
            self._answer({"data": self._data(body["query"], body.get("variables") or {})})

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, content: dict) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _keep(self, run: str, files: dict[str, Any]) -> None:
        stored = self.server.runs[run]
        for name, chunk in files.items():
            kept = stored.lines.setdefault(name, {})
            for number, line in enumerate(chunk["content"]):
                kept[chunk["offset"] + number] = line

    def _data(self, query: str, given: dict[str, Any]) -> dict[str, Any]:
        project = {"id": "P", "name": "cityseg", "entity": {"id": "E", "name": "me"}}
        if "upsertBucket" in query:
            known = given["name"] in self.server.runs
            run = self.server.runs.setdefault(given["name"], StoredRun())
            run.config = given.get("config") or run.config
            run.group = given.get("groupName") or run.group
            bucket = {
                "id": "R", "name": given["name"], "displayName": given.get("displayName"),
                "config": run.config, "project": project, "historyLineCount": run.count(HISTORY),
            }  # fmt: skip
            return {"upsertBucket": {"bucket": bucket, "inserted": not known}}
        if "RunResumeStatus" in query:
            run = self.server.runs.get(given["name"])
            return {"model": {**project, "bucket": run and self._resumed(given["name"], run)}}
        if "createArtifact(" in query:  # of tables; it says that their content is there already
            artifact = {
                "id": "A",
                "state": "COMMITTED",
                "artifactSequence": {"latestArtifact": None},
            }
            return {"createArtifact": {"artifact": artifact}}
        if "ArtifactType(" in query:  # nobody has an artifact of that name
            return {"project": None}
        if "createRunFiles" in query:
            files = [
                {"name": name, "uploadUrl": f"{self.server.url}/storage/{name}"}
                for name in given["files"]
            ]
            return {"createRunFiles": {"runID": "R", "uploadHeaders": [], "files": files}}
        if "viewer" in query:
            teams: dict[str, list] = {"edges": []}
            return {
                "viewer": {
                    "id": "V",
                    "entity": "me",
                    "username": "me",
                    "flags": "{}",
                    "teams": teams,
                }
            }
        if "serverInfo" in query:
            return {"serverInfo": {"features": []}}
        return {}

    @staticmethod
    def _resumed(name: str, run: StoredRun) -> dict[str, Any]:
        """Return what a run goes on from."""
        tails = {
            key: json.dumps([line for _, line in sorted(run.lines.get(file, {}).items())][-1:])
            for key, file in (("historyTail", HISTORY), ("eventsTail", EVENTS))
        }
        summary = [line for _, line in sorted(run.lines.get(SUMMARY, {}).items())] or ["{}"]
        return {
            "id": "R", "name": name, "displayName": name, "config": run.config, "tags": [],
            "notes": None, "summaryMetrics": summary[-1], "logLineCount": 0,
            "historyLineCount": run.count(HISTORY), "eventsLineCount": run.count(EVENTS),
            "wandbConfig": json.dumps({"t": 1}), **tails,
        }  # fmt: skip


@contextmanager
def imitation_server() -> Iterator[ImitationServer]:
    """Serve on a free port until the end of the block."""
    server = ImitationServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
