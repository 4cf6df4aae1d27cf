"""Run the scripts as people do."""

import contextlib
import io
import os
import runpy
import subprocess
import sys
from dataclasses import dataclass
from unittest import mock

from conftest import ROOT
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

MODE = Hydra.get_mode
SETS_MODE = ("-m", "--multirun", "hydra.mode", "experiment", "--config", "-c", "hydra.searchpath")
"""What may make a command a sweep; nothing in conf/ does."""


@dataclass
class Result:
    """What a command left: its exit code and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def mode(hydra: Hydra, config_name: str | None, overrides: list[str]) -> RunMode | None:
    """Return a command's mode, for which Hydra composes the whole configuration once more."""
    if any(word.lstrip("+~").startswith(SETS_MODE) for word in [*sys.argv[1:], *overrides]):
        return MODE(hydra, config_name, overrides)
    return RunMode.RUN


def run(script: str, *arguments: object, **environment: str) -> Result:
    """Run a script in this process, which spares the seconds that imports take."""
    out, err = io.StringIO(), io.StringIO()
    GlobalHydra.instance().clear()
    code = 0
    with (
        mock.patch.object(sys, "argv", [str(ROOT / script), *map(str, arguments)]),
        mock.patch.dict(os.environ, environment),
        mock.patch.object(Hydra, "get_mode", mode),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            runpy.run_path(str(ROOT / script), run_name="__main__")
        except SystemExit as done:
            code = int(done.code or 0)
    GlobalHydra.instance().clear()
    return Result(code, out.getvalue(), err.getvalue())


def run_child(script: str, *arguments: object, **environment: str) -> Result:
    """Run a script in a process of its own, where that matters."""
    done = subprocess.run(
        [sys.executable, str(ROOT / script), *map(str, arguments)],
        env={**os.environ, "COLUMNS": "120", **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def succeed(script: str, *arguments: object, child: bool = False, **environment: str) -> Result:
    """Run a script that has to succeed."""
    result = (run_child if child else run)(script, *arguments, **environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return result
