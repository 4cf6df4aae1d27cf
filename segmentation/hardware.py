"""What this machine offers: cores, reduced precision."""

import os
import platform

import torch


def available_cores() -> int:
    """Return the cores this process may use (its affinity, where the system knows one)."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def fastest_precision(accelerator: str) -> str:
    """Return Lightning's name of the fastest precision that trains as well as float32.

    That is bfloat16 where the hardware multiplies it natively: NVIDIA from Ampere on, x86 with
    AVX512-BF16 or AMX. Elsewhere it is emulated and slower, and float32 it stays.

    Args:
        accelerator: ``"cpu"``, ``"cuda"`` or ``"mps"``.
    """
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
    """Return a name for people, such as ``"NVIDIA H200"`` or ``"CPU, 2 cores"``."""
    if accelerator == "cuda":
        return torch.cuda.get_device_name()
    if accelerator == "mps":
        return "Apple GPU (MPS)"
    cores = available_cores()
    return f"CPU, {cores} core{'s' if cores > 1 else ''}"
