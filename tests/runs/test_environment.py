"""What a run directory says of what the run was made with, and what differs later."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from segmentation.runs import environment
from segmentation.runs.environment import differences, write_environment
from segmentation.system import git as git_module
from segmentation.system.git import PATCH, git_state
from segmentation.system.hardware import machine

SECRET = "hunter2-c0ffee"


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), "-c", "user.name=me", "-c", "user.email=me@here"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with this package's marks in it, and nothing to commit."""
    root = tmp_path / "checkout"
    (root / "segmentation").mkdir(parents=True)
    (root / "segmentation" / "__init__.py").write_text("one = 1\n")
    (root / "picture.bin").write_bytes(bytes(range(256)))
    (root / ".gitignore").write_text("runs/\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root


def test_a_clean_checkout_has_a_commit_and_no_patch(checkout: Path) -> None:
    assert git_state(checkout) == (
        {"commit": git(checkout, "rev-parse", "HEAD"), "changed": False, "patch": None,
         "untracked": []},
        b"",
    )  # fmt: skip


def test_the_patch_brings_the_changes_back(checkout: Path) -> None:
    changed = {
        "segmentation/__init__.py": b"one = 2\n",
        "picture.bin": bytes(reversed(range(256))),
        "staged with space.py": b"new = 1\n",
    }
    for name, content in changed.items():
        (checkout / name).write_bytes(content)
    git(checkout, "add", "staged with space.py")
    (checkout / "unknown.py").write_text("")
    (checkout / "notes.txt").write_text("")
    (checkout / "runs").mkdir()
    (checkout / "runs" / "ignored.py").write_text("")
    git(checkout, "config", "diff.noprefix", "true")
    git(checkout, "config", "color.diff", "always")
    state, patch = git_state(checkout)
    assert state is not None
    assert state["changed"]
    assert state["untracked"] == ["unknown.py"]
    git(checkout, "config", "--unset", "diff.noprefix")
    git(checkout, "reset", "-q", "--hard")
    (checkout / "changes").write_bytes(patch)
    git(checkout, "apply", "changes")
    for name, content in changed.items():
        assert (checkout / name).read_bytes() == content


def test_a_long_patch_is_cut_off_and_said(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(git_module, "MAX_PATCH", 100)
    (checkout / "segmentation" / "__init__.py").write_text("two = 2\n" * 50)
    state, patch = git_state(checkout)
    assert len(patch) == 100
    assert state is not None
    assert "holds the first 100 only" in caplog.text


def test_without_git_nothing_is_known(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_state(checkout) == (None, b"")


def test_a_package_that_is_installed_in_a_strange_repository_has_no_commit(checkout: Path) -> None:
    strange = checkout / "venv" / "site-packages"
    (strange / "segmentation").mkdir(parents=True)
    (strange / "segmentation" / "__init__.py").write_text("")
    assert git_state(strange) == (None, b"")


def test_a_hook_of_another_repository_does_not_confuse(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    state, _ = git_state(checkout)
    assert state is not None
    assert state["commit"] == expected


def test_no_lock_is_taken(checkout: Path) -> None:
    (checkout / ".git" / "index.lock").touch()  # another job asks, or the user commits
    assert git_state(checkout)[0] is not None


@pytest.fixture
def written(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, dict[str, Any]]:
    """A run directory, and what was written into it from a changed checkout."""
    (checkout / "segmentation" / "__init__.py").write_text("one = 3\n")
    monkeypatch.setattr(environment, "git_state", lambda: git_state(checkout))
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    monkeypatch.setenv("DATABASE", f"postgresql://me:{SECRET}@host/db")
    monkeypatch.setattr(
        sys, "argv", ["train.py", f"sweep.storage=postgresql://me:{SECRET}@host/db", "seed=3"]
    )
    run = tmp_path / "run"
    run.mkdir()
    facts: dict[str, Any] = {
        "data": {"train": "aaa", "val": "bbb"}, "precision": "bf16-mixed", "processes": 2,
        "seed": 3, "encoder_weights": "random", "attempts": 1,
    }  # fmt: skip
    return run, write_environment(run, **facts)


def test_the_file_says_what_the_run_was_made_with(written: tuple[Path, dict[str, Any]]) -> None:
    run, returned = written
    found = json.loads((run / "environment.json").read_text())
    assert found == returned
    assert found["command"] == ["train.py", "sweep.storage=postgresql://***@host/db", "seed=3"]
    assert found["versions"]["torch"] == torch.__version__.partition("+")[0]
    needed = {"cityseg", "numpy", "timm", "albumentations", "opencv-python-headless", "albucore"}
    assert needed <= set(found["versions"])
    assert "pytest" not in found["versions"]
    assert ("CUDA" in found["versions"]) == (torch.version.cuda is not None)
    assert found["data"] == {"train": "aaa", "val": "bbb"}
    assert found["seed"] == 3
    assert b"+one = 3" in (run / PATCH).read_bytes()
    assert {path.name for path in run.iterdir()} == {"environment.json", PATCH}


def test_no_secret_of_the_environment_is_kept(written: tuple[Path, dict[str, Any]]) -> None:
    run, _ = written
    for path in run.iterdir():
        text = path.read_text()
        assert SECRET not in text
        for name, value in os.environ.items():
            if any(word in name for word in ("KEY", "TOKEN", "SECRET", "PASSWORD")) and value:
                assert value not in text, name


def test_a_clean_checkout_leaves_no_patch_of_an_earlier_start(
    written: tuple[Path, dict[str, Any]], checkout: Path
) -> None:
    run, _ = written
    git(checkout, "checkout", "-q", ".")
    write_environment(run)
    assert not (run / PATCH).exists()


def test_the_machine_is_described() -> None:
    found = machine()
    assert found["cpu"]
    assert found["cores"] >= 1
    assert found["threads"] == torch.get_num_threads()
    assert len(found["gpus"]) == torch.cuda.device_count()
    assert found["memory_gib"] is None or found["memory_gib"] > 0.1


BEFORE: dict[str, Any] = {
    "command": ["train.py"], "overrides": ["seed=1"], "python": "3.11.7", "platform": "Linux-6.1",
    "versions": {"torch": "2.15.0", "wandb": "0.31.0", "old": "1.0"},
    "git": {"commit": "a" * 40, "changed": False, "patch": None, "untracked": []},
    "hardware": {
        "system": "Linux x86_64", "cpu": "EPYC", "cores": 8, "threads": 8, "memory_gib": 31.0,
        "gpus": ["H200 (139.8 GiB)"], "driver": "580.1",
    },
    "data": {"train": "aaa", "val": "bbb"}, "precision": "bf16-mixed", "processes": 1, "seed": 1,
    "device": "NVIDIA H200", "attempts": 1,
}  # fmt: skip


def test_the_same_again_differs_in_nothing() -> None:
    now = copy.deepcopy(BEFORE)
    now["command"], now["overrides"] = ["/elsewhere/train.py", "rerun=x"], ["rerun=x"]
    now["platform"], now["attempts"] = "Linux-6.9", 4
    now["hardware"]["memory_gib"] = 63.0
    now["versions"]["wandb"] = "0.32.0"
    assert differences(BEFORE, now) == []


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        (["python"], "3.12.0", ["python: 3.12.0, and was 3.11.7"]),
        (["versions", "torch"], "2.16.0", ["torch: 2.16.0, and was 2.15.0"]),
        (["versions"], {"torch": "2.15.0"}, ["old: not installed, and was 1.0"]),
        (["git", "commit"], "b" * 40, ["code: commit bbbbbbbbbb, and was aaaaaaaaaa"]),
        (["git"], None, [
            "code: commit aaaaaaaaaa then; now it is not known, as there is no git"]),
        (["git"], {"commit": "a" * 40, "changed": True, "patch": "1", "untracked": ["new.py"]}, [
            "code: it has changes that are not committed (changes.patch), and had none",
            "code: files that git does not know differ: new.py"]),
        (["hardware", "cpu"], "Xeon", ["cpu: Xeon, and was EPYC"]),
        (["hardware", "threads"], 4, ["threads: 4, and was 8"]),
        (["hardware", "gpus"], [], ["gpus: none, and was H200 (139.8 GiB)"]),
        (["hardware", "driver"], None, ["driver: none, and was 580.1"]),
        (["data", "train"], "xxx", ["data: the train split holds other files or other content"]),
        (["data"], {"train": "aaa"}, ["data: there is no val split any more"]),
        (["data", "test"], "ccc", ["data: there was no test split"]),
        (["precision"], "32-true", ["precision: 32-true, and was bf16-mixed"]),
        (["processes"], 2, ["processes: 2, and was 1"]),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, list) and len(value) < 3 else None,
)  # fmt: skip
def test_what_differs_is_said(place: list[str], value: Any, expected: list[str]) -> None:
    now = copy.deepcopy(BEFORE)
    inner = now
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    assert differences(BEFORE, now) == expected


def test_changes_that_are_not_committed_are_compared() -> None:
    before, now = copy.deepcopy(BEFORE), copy.deepcopy(BEFORE)
    before["git"] |= {"changed": True, "patch": "1"}
    assert differences(before, copy.deepcopy(before)) == []
    assert differences(before, now) == [
        "code: it had changes that were not committed (changes.patch), and has none now"
    ]
    now["git"] |= {"changed": True, "patch": "2"}
    assert differences(before, now) == [
        "code: its changes that are not committed (changes.patch) are others"
    ]


def test_what_an_older_run_did_not_keep_is_not_compared() -> None:
    older = {
        "command": ["train.py"], "python": "3.11.7", "versions": {"torch": "2.15.0"},
        "git": {"commit": "a" * 40, "changed": False}, "seed": 1,
    }  # fmt: skip
    assert differences(older, BEFORE) == []
    assert differences(older | {"git": None}, BEFORE) == []
