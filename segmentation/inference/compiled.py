"""Compile a model for inference."""

from typing import Any, cast

import torch
from torch import nn

from segmentation.errors import ConfigError
from segmentation.models.image_model import ImageModel
from segmentation.system.compiler import compiler_problem


def compile_model(model: nn.Module, device: str) -> None:
    """Compile the forward pass of a model by `torch.compile`, at its first call.

    That takes a minute or more on a CPU, and again at the second size of image, after which all
    sizes are alike: see docs/performance.md for where it pays.

    Args:
        model: is changed; the names of its weights are not.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.

    Raises:
        ConfigError: nothing can be compiled here, or the model is an exported file.
    """
    if not isinstance(model, ImageModel):
        raise ConfigError("compile=true: an exported file is compiled already. Omit it.")
    if problem := compiler_problem(device):
        raise ConfigError(
            f"compile=true: torch.compile does not work here: {problem} Omit it, or install a C++ "
            "compiler."
        )
    cast(Any, model).forward_all = torch.compile(model.forward_all)
