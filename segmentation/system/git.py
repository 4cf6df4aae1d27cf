"""Identify the code that runs: the commit of this package's checkout and its local changes."""

import hashlib
import logging
import os
import subprocess
from pathlib import Path
from typing import Any

PATCH = "changes.patch"
MAX_PATCH = 5_000_000
"""Bytes of a patch that are kept."""
MAX_UNTRACKED = 100
SOURCE = (".py", ".yaml", ".yml", ".toml", ".html", ".css", ".sh")
UNCONFIGURED = ("--no-color", "--no-ext-diff", "--no-textconv")
DIFF = ("diff", "--binary", *UNCONFIGURED, "--src-prefix=a/", "--dst-prefix=b/", "HEAD")
"""A patch that `git apply` accepts, whatever the user's configuration of git is."""
ROOT = Path(__file__).resolve().parents[2]

log = logging.getLogger(__name__)


def git_state(root: Path = ROOT) -> tuple[dict[str, Any] | None, bytes]:
    """Return the git state of a checkout of this package, and its uncommitted changes as a patch.

    Returns:
        The state, or None without git or where the package is installed rather than checked out:
        `commit`; `changed`, whether tracked files differ from it; `patch`, the SHA-256 of the
        changes, or None; `untracked`, source files that git does not track and the patch lacks.
        The patch, for `git apply`, is cut off after `MAX_PATCH` bytes, with a warning.
    """
    try:
        # An installed package may lie within somebody else's repository.
        _git(root, "ls-files", "--error-unmatch", "segmentation/__init__.py")
        commit = _git(root, "rev-parse", "HEAD").decode().strip()
        patch = _git(root, *DIFF)
        names = _git(root, "ls-files", "--others", "--exclude-standard", "-z")
    except (OSError, subprocess.SubprocessError):
        return None, b""
    untracked = sorted(
        name for name in names.decode(errors="replace").split("\0") if name.endswith(SOURCE)
    )
    state = {
        "commit": commit,
        "changed": bool(patch),
        "patch": hashlib.sha256(patch).hexdigest() if patch else None,
        "untracked": untracked[:MAX_UNTRACKED],
    }
    if len(patch) > MAX_PATCH:
        log.warning(
            "the code has %d bytes of uncommitted changes, but %s holds the first %d only. "
            "Commit them to be able to repeat this run.",
            len(patch),
            PATCH,
            MAX_PATCH,
        )
    return state, patch[:MAX_PATCH]


def _git(root: Path, *arguments: str) -> bytes:
    # A git hook, which may run the tests, names its own repository in these variables.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["git", "-C", str(root), *arguments],
        capture_output=True,
        check=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
        env={**environment, "GIT_OPTIONAL_LOCKS": "0"},  # many jobs may ask at once
    ).stdout
