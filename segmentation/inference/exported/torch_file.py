"""Open TorchScript files and programs of `torch.export`."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from segmentation.errors import ModelError
from segmentation.inference.exported.metadata import KEY, from_text
from segmentation.inference.exported.onnx_file import Run, first_line


def open_torchscript(path: Path) -> tuple[str | None, Run]:
    """Return the metadata of a TorchScript file and what runs it.

    Its instructions are executed by PyTorch's interpreter of TorchScript, which runs no Python.

    Raises:
        ModelError: it is not a readable TorchScript file.
    """
    extra = {KEY: ""}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript calls itself deprecated
            script = torch.jit.load(path, map_location="cpu", _extra_files=extra)
    except Exception as error:  # RuntimeError, or an error of the archive's parser
        raise ModelError(f"{path} is not a TorchScript file: {first_line(error)}") from error
    return _opened(path, extra[KEY], script)


def open_pt2(path: Path) -> tuple[str | None, Run]:
    """Return the metadata of a file of `torch.export.save` and what runs it.

    Raises:
        ModelError: it is not a readable file of `torch.export`.
    """
    extra = {KEY: ""}
    try:
        program = torch.export.load(path, extra_files=extra)
        call = program.module()
    except Exception as error:  # nearly anything
        raise ModelError(f"{path} is not a file of torch.export: {first_line(error)}") from error
    return _opened(path, extra[KEY], call)


def _opened(
    path: Path, text: str | bytes, call: Callable[[Tensor], Sequence[Tensor]]
) -> tuple[str | None, Run]:
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    names = (from_text(text, str(path)).head, "category", "values")

    @torch.inference_mode()
    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        with torch.autocast("cpu", enabled=False):  # the caller's would change what export compared
            outputs = call(torch.from_numpy(images))
        return {name: output.numpy() for name, output in zip(names, outputs, strict=False)}

    return text, run
