"""Detect cores, devices and their precision; only functions that need torch import it."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from segmentation.errors import ConfigError, did_you_mean

CORES = "CITYSEG_CORES"
"""Environment variable: the share of the cores that a job of a sweep may use. OMP_NUM_THREADS would
not do, because torchrun sets it to 1 on every machine."""


def available_cores() -> int:
    """Return the number of cores this process may use, by its affinity and its share in a sweep."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min(cores, int(os.environ.get(CORES, cores))))


def check_accelerator(name: object, option: str) -> str:
    """Return the kind of device that a name stands for: auto, cpu, cuda or mps.

    Raises:
        ConfigError: the name is unknown.
    """
    kind = "cuda" if name == "gpu" else name
    if not isinstance(kind, str) or kind not in ("auto", "cpu", "cuda", "mps"):
        hint = did_you_mean(str(name), ("auto", "cpu", "gpu", "cuda", "mps"))
        raise ConfigError(f"{option}={name!r}: use auto, cpu, gpu or mps.{hint}")
    return kind


def pick_accelerator(name: str, option: str) -> str:
    """Resolve an accelerator name to cpu, cuda or mps.

    Args:
        name: auto (a GPU if there is one), cpu, gpu, cuda or mps.
        option: the option that holds the name, for the message.

    Raises:
        ConfigError: the name is unknown, or this machine has no such device.
    """
    import torch

    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    kind = check_accelerator(name, option)
    if kind == "auto":
        return "cuda" if available["cuda"] else "mps" if available["mps"] else "cpu"
    if not available[kind]:
        device = "CUDA GPU" if kind == "cuda" else "Apple GPU (MPS)"
        raise ConfigError(
            f"this machine has no {device} that PyTorch {torch.__version__} can use. "
            f"Type {option}=auto or {option}=cpu."
        )
    return kind


def fastest_precision(accelerator: str) -> str:
    """Return Lightning's name of the fastest precision that trains as well as float32.

    That is bfloat16 on NVIDIA GPUs from Ampere on and on x86 CPUs with AVX512-BF16 or AMX, which
    multiply it natively. Elsewhere bfloat16 is emulated, or not known to be faster than float32.

    Args:
        accelerator: ``"cpu"``, ``"cuda"`` or ``"mps"``.
    """
    import torch

    if accelerator == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif accelerator == "cpu":
        native = platform.machine() in ("x86_64", "AMD64") and (
            torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        )
    else:
        native = False
    return "bf16-mixed" if native else "32-true"


def device_name(accelerator: str) -> str:
    """Return a readable device name, such as ``"NVIDIA H200"`` or ``"CPU, 2 cores"``."""
    import torch

    if accelerator == "cuda":
        return torch.cuda.get_device_name()
    if accelerator == "mps":
        return "Apple GPU (MPS)"
    cores = available_cores()
    return f"CPU, {cores} core{'s' if cores > 1 else ''}"


def machine() -> dict[str, Any]:
    """Describe this machine: system, CPU model, usable cores, threads, memory and visible GPUs.

    Memory is in GiB, `driver` is NVIDIA's version. A value that the system does not report is None.
    """
    import torch

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
    """Return the CPU's name, such as ``"AMD EPYC 9575F"``, or else its architecture."""
    if platform.system() == "Darwin":
        name = _output("sysctl", "-n", "machdep.cpu.brand_string")
    else:
        try:
            lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        name = next(names, None)
    return name or platform.processor() or platform.machine()


def _memory() -> float | None:
    try:
        return _gib(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # Windows has no such thing
        return None


def _gib(size: int) -> float:
    return round(size / 2**30, 1)


def _output(*command: str) -> str | None:
    """Return the first line of a command's output, or None if it fails."""
    try:
        process = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(process.stdout.strip().splitlines()), None)
