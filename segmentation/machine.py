"""The machine that a run trained on, as far as its results or its speed depend on it."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from segmentation.hardware import available_cores


def machine() -> dict[str, Any]:
    """Return system, CPU model, usable cores, threads, memory, and the visible GPUs.

    Memory is in GiB. `driver` is the version of NVIDIA's. None is what the system does not tell.
    """
    gpus = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_model(),
        "cores": available_cores(),
        "threads": torch.get_num_threads(),
        "memory_gib": _memory(),
        "gpus": [f"{gpu.name} ({_gib(gpu.total_memory)} GiB)" for gpu in gpus],
        "driver": _output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
        if gpus
        else None,
    }


def cpu_model() -> str:
    """Return the CPU's name, such as ``"AMD EPYC 9575F"``; its architecture where none is told."""
    if platform.system() == "Darwin":
        found = _output("sysctl", "-n", "machdep.cpu.brand_string")
    else:
        try:
            lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        found = next(names, None)
    return found or platform.processor() or platform.machine()


def _memory() -> float | None:
    try:
        return _gib(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # Windows has no such thing
        return None


def _gib(size: int) -> float:
    return round(size / 2**30, 1)


def _output(*command: str) -> str | None:
    """Return the first line that a command prints, None where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(done.stdout.strip().splitlines()), None)
