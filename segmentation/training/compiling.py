"""Decide whether the training step is compiled."""

import logging

from segmentation.errors import ConfigError
from segmentation.system.compiler import compiler_problem

LONG = 2000
"""Steps from which `auto` compiles on a GPU: a minute of compiling against 30 ms a step."""

log = logging.getLogger(__name__)


def compiles(wanted: bool | str, device: str, steps: float) -> bool:
    """Return whether the training step is compiled by `torch.compile`.

    Args:
        wanted: True, False or ``"auto"``: on a CUDA GPU, in a training of `LONG` steps or more. On
            a CPU it gained 1.05x after more than a minute (docs/performance.md).
        device: of the training.
        steps: of the training; infinite if only time ends it.

    Raises:
        ConfigError: True where nothing can be compiled.
    """
    if not wanted or (wanted == "auto" and (device != "cuda" or steps < LONG)):
        return False
    problem = compiler_problem(device)
    if problem is None:
        return True
    if wanted == "auto":
        log.warning("the training is not compiled, which would be faster: %s", problem)
        return False
    raise ConfigError(
        f"trainer.compile=true: torch.compile does not work here: {problem} Omit it, or install "
        "a C++ compiler."
    )
