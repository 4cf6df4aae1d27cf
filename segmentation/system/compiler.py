"""Whether `torch.compile` works on a device of this machine."""

from functools import cache


@cache
def compiler_problem(device: str) -> str | None:
    """Compile a small function, and return why that fails; None if it works. Takes seconds.

    Args:
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
    """
    import torch

    try:
        torch.compile(torch.sin, dynamic=False)(torch.zeros(8, device=device))
    except Exception as error:  # of missing compilers, headers and drivers, each with its own class
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return lines[0]
    return None
