"""A process does not outlive the one it works for."""

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a process keeps its parent's number there")

CHILD = """
import os, signal, sys, time
from segmentation.system.parent_process import exit_with_parent_if_asked, exit_with_parent
print(os.getpid(), flush=True)
{before}
print("ready", flush=True)
time.sleep(30)
"""
PARENT = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {!r}]); time.sleep(30)"
)


def start(child):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(child)], stdout=subprocess.PIPE, text=True
    )
    child = int(parent.stdout.readline())
    return parent, child


def gone(pid, within=5):
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        state = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True
        )
        if state.stdout.startswith("Z"):  # dead, and nobody has asked what became of it
            return True
        time.sleep(0.05)
    return False


def test_it_gets_sigterm_once_its_parent_was_killed(tmp_path):
    note = tmp_path / "saved"
    before = (
        f"def save(*_): open({str(note)!r}, 'w').close(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, save)\n"
        "exit_with_parent(every=0.05)"
    )
    parent, child = start(CHILD.format(before=before))
    assert parent.stdout.readline() == "ready\n"
    time.sleep(0.3)
    os.kill(child, 0)  # it stays as long as its parent does
    parent.kill()
    parent.wait()
    assert gone(child)
    assert note.exists()


def test_it_is_killed_if_it_does_not_leave():
    before = (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nexit_with_parent(grace=0.3, every=0.05)"
    )
    parent, child = start(CHILD.format(before=before))
    assert parent.stdout.readline() == "ready\n"
    parent.kill()
    parent.wait()
    assert gone(child)


def test_a_parent_that_died_before_the_child_looked_is_noticed():
    before = "os.environ['CITYSEG_PARENT'] = '1234567'\nexit_with_parent_if_asked()\ntime.sleep(30)"
    parent, child = start(CHILD.format(before=before))
    assert gone(child)
    parent.kill()
    parent.wait()


def test_the_request_is_not_handed_on(monkeypatch):
    from segmentation.system.parent_process import exit_with_parent_if_asked

    monkeypatch.setenv("CITYSEG_PARENT", str(os.getppid()))
    exit_with_parent_if_asked()
    assert "CITYSEG_PARENT" not in os.environ
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
