"""What a run was made with: command, versions, code, machine; and what of it is another now.

environment.json  all that can matter for repeating the run, and nothing that is secret
changes.patch     what was changed in the code since its commit, for `git apply`

Environment variables are not kept: keys and passwords are in them.
"""

import platform
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from segmentation.config import differing_keys
from segmentation.errors import listed
from segmentation.system.files import write_json, write_atomic
from segmentation.system.git import PATCH, git_state
from segmentation.config import task_overrides
from segmentation.system.hardware import machine
from segmentation.system.redaction import redact

PACKAGE = "cityseg"
OWN_EXTRAS = ("report", "wandb")
"""Extras of this package that a run may use whatever its options are."""
HARDWARE = ("system", "cpu", "cores", "threads", "gpus", "driver")
"""What is compared of the machine."""
SERVICES = {"filelock", "huggingface-hub", "jinja2", "platformdirs", "requests", "rich", "wandb"}
"""What shows, fetches or waits: it changes no result, nor does what it needs."""
OF_THE_START = {"command", "overrides", "platform", "attempts", "parts", "rerun_of"}
"""Where and how the run was started, which cannot matter."""
COMPARED_IN_PARTS = {"git", "data", "versions", "hardware"}
CODE_CHANGED = {
    (True, False): f"code: it had changes that were not committed ({PATCH}), and has none now",
    (False, True): f"code: it has changes that are not committed ({PATCH}), and had none",
    (True, True): f"code: its changes that are not committed ({PATCH}) are others",
}
"""By whether there were changes then, and whether there are now."""


def write_environment(directory: Path, **facts: Any) -> dict[str, Any]:
    """Write and return what this run is made with; rank zero calls it.

    Args:
        directory: the run directory.
        facts: what the caller knows besides, as plain values: data fingerprints (`data`, by split),
            where the encoder's weights came from, device, precision, processes, seed.
    """
    overrides = task_overrides(HydraConfig.get()) if HydraConfig.initialized() else []
    git, patch = git_state()
    environment: dict[str, Any] = {
        "command": [redact(word) for word in sys.argv],
        "overrides": [redact(word) for word in overrides],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions(),
        "git": git,
        "hardware": machine(),
        **facts,
    }
    if patch:
        write_atomic(directory / PATCH, patch)
    else:
        (directory / PATCH).unlink(missing_ok=True)
    write_json(directory / "environment.json", environment)
    return environment


def versions() -> dict[str, str]:
    """Return the versions of what this package needs, directly or not, and of CUDA and cuDNN."""
    installed = {name: version(name) for name in sorted(_needed(PACKAGE))}
    if torch.version.cuda:
        installed["CUDA"] = torch.version.cuda
    if torch.backends.cudnn.is_available():
        installed["cuDNN"] = str(torch.backends.cudnn.version())
    return installed


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return in plain English what differs in an environment from an earlier run's.

    What cannot matter for the result is left out (time, directory, memory), and so is what the
    earlier run did not keep.

    Args:
        before: the environment.json of the earlier run.
        now: what `write_environment` returned.
    """
    hardware, new_hardware = before.get("hardware") or {}, now.get("hardware") or {}
    changed = differing_keys([hardware, new_hardware])
    lines = [
        f"{key}: {_shown(new_hardware.get(key))}, and was {_shown(hardware[key])}"
        for key in HARDWARE
        if key in changed and hardware.get(key) is not None
    ]
    versions, new_versions = before.get("versions") or {}, now.get("versions") or {}
    lines += [
        f"{name}: {new_versions.get(name, 'not installed')}, and was {versions[name]}"
        for name in sorted(differing_keys([versions, new_versions]))
        if name in versions and name not in SERVICES
    ]
    lines += _code(before.get("git"), now.get("git"))
    lines += _data(before.get("data") or {}, now.get("data") or {})
    lines += [
        f"{key.replace('_', ' ')}: {_shown(now.get(key))}, and was {_shown(before[key])}"
        for key in differing_keys([before, now])
        if key in before and key not in OF_THE_START | COMPARED_IN_PARTS
    ]
    return lines


def _data(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    if not before:
        return []
    lines = []
    for split in differing_keys([before, now]):
        if split not in before:
            lines.append(f"data: there was no {split} split")
        elif split not in now:
            lines.append(f"data: there is no {split} split any more")
        else:
            lines.append(f"data: the {split} split holds other files or other content")
    return lines


def _code(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> list[str]:
    if before is None:
        return []  # not known then: an installed package, or no git
    if now is None:
        return [f"code: commit {_short(before)} then; now it is not known, as there is no git"]
    lines = []
    if before["commit"] != now["commit"]:
        lines.append(f"code: commit {_short(now)}, and was {_short(before)}")
    if before["changed"] != now["changed"] or before.get("patch", "") not in ("", now["patch"]):
        lines.append(CODE_CHANGED[before["changed"], now["changed"]])
    if new := set(now["untracked"]) ^ set(before.get("untracked", now["untracked"])):
        lines.append(f"code: files that git does not know differ: {listed(sorted(new))}")
    return lines


def _needed(root: str) -> Iterator[str]:
    """Yield the installed distributions that one needs, directly or not."""
    waiting: list[str] = [root]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:  # needed in some cases only
            continue
        yield name
        extras = ("", *OWN_EXTRAS) if name == PACKAGE else ("",)
        waiting += [
            canonicalize_name(need.name)
            for need in map(Requirement, needs if name not in SERVICES else [])
            if need.marker is None
            or any(need.marker.evaluate({"extra": extra}) for extra in extras)
        ]


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    return "none" if value is None else str(value)


def _short(git: Mapping[str, Any]) -> str:
    return str(git["commit"])[:10]
