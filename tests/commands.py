"""Run the scripts as people do: as child processes."""

import os
import subprocess
import sys
from pathlib import Path

from conftest import ROOT


def run(*arguments: object, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    """Run a script of the repository and return what it printed and its exit code."""
    script, *rest = map(str, arguments)
    return subprocess.run(
        [sys.executable, str(ROOT / script) if script.endswith(".py") else script, *rest],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "120", **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )


def succeed(*arguments: object, **options: object) -> subprocess.CompletedProcess:
    """Run a script that has to succeed."""
    result = run(*arguments, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result
