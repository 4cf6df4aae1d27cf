"""Commands outlive the reader of their output, and need no UTF-8, home directory or stdin."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a pipeline of bash, which ends with the exit code of its first failing command."""
    python = f"{sys.executable} {ROOT}"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("PYTHON ", f"{python}/")],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


WRITES = (
    "import sys; sys.path.insert(0, {root!r})\n"
    "from segmentation.cli.terminal import make_printable; make_printable()\n"
    "for number in range(100_000): print('a line', number)\n"
    "import subprocess; subprocess.run(['echo', 'a child'], check=True)\n"
    "print('whole', file=sys.stderr)\n"
)


def test_work_goes_on_when_the_reader_of_its_output_leaves(tmp_path):
    script = tmp_path / "writes.py"
    script.write_text(WRITES.format(root=str(ROOT)))
    result = shell(f"{sys.executable} {script} | head -1")
    assert (result.returncode, result.stdout, result.stderr) == (0, "a line 0\n", "whole\n")
    assert shell(f"{sys.executable} {script} 2>&1 | head -1").stdout == "a line 0\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("PYTHON train.py --help | true", 0),
        ("PYTHON train.py --cfg job | head -1", 0),
        ("PYTHON train.py --cfg job <&- | tail -1", 0),
        ("PYTHON train.py --cfg job >&-", 0),
        ("PYTHON train.py seed=x --json data.root=/nowhere data=camvid 2>&1 | true", 1),
        ("PYTHON compare.py --json runs=[/nowhere] | true", 1),
        ("PYTHON train.py data=camvid data.root=/nöwhere", 1),
        ("env -u HOME PYTHON train.py data=camvid data.root=/nowhere", 1),
        ("HOME=/nonexistent PYTHON predict.py model=/a input=/b output=/c", 1),
    ],
)
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_no_trace_whatever_the_streams_are(command, code, locale):
    result = shell(command, LC_ALL=locale, PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert "Exception ignored" not in result.stderr
