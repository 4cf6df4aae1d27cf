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
from hydra.core.global_hydra import GlobalHydra


@dataclass
class Result:
    """What a command left: its exit code and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def run(script: str, *arguments: object, **environment: str) -> Result:
    """Run a script in this process, which spares the seconds that imports take."""
    out, err = io.StringIO(), io.StringIO()
    GlobalHydra.instance().clear()
    code = 0
    with (
        mock.patch.object(sys, "argv", [str(ROOT / script), *map(str, arguments)]),
        mock.patch.dict(os.environ, environment),
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
