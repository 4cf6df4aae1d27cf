"""The formats of exported files, and what writes each."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from segmentation.errors import ConfigError
from segmentation.inference.exported.metadata import ExportInfo
from segmentation.models import LoadedModel
from segmentation.models.folding import fold_batch_norm
from segmentation.system.packages import require_extra

Write = Callable[[ExportInfo, Path, Iterable[np.ndarray], int], str]
"""Writes a file; see `segmentation.export.onnx_export.write_onnx`."""


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        files: names of its files; the first is what is opened.
        precisions: that it has.
        resizes: the graph can resize images to what the model learnt.
        extra: of pyproject.toml that it needs; None for none.
    """

    files: tuple[str, ...]
    precisions: tuple[str, ...]
    resizes: bool
    extra: str | None


FORMATS = {
    "onnx": Format(("model.onnx",), ("fp32", "fp16", "int8"), True, "onnx"),
    "openvino": Format(("model.xml", "model.bin"), ("fp32", "fp16", "int8"), True, "openvino"),
    "torchscript": Format(("model.ts",), ("fp32",), False, None),
    "pt2": Format(("model.pt2",), ("fp32",), False, None),
}


def check_pair(name: str, precision: str) -> None:
    """Check that a format has a precision, and that its packages are installed.

    Raises:
        ConfigError: it has not, or they are not.
    """
    chosen = FORMATS[name]
    if precision not in chosen.precisions:
        others = [key for key, other in FORMATS.items() if precision in other.precisions]
        raise ConfigError(
            f"format={name} has no precision={precision}, but {', '.join(chosen.precisions)}; for "
            f"{precision} use format={' or format='.join(others)}."
        )
    if chosen.extra is not None:
        require_extra(chosen.extra, f"format={name}")


def prepare_writer(name: str, loaded: LoadedModel, model: str, labels: bool) -> Write:
    """Make what all precisions of a format have in common, and return what writes a file.

    Batch norm is folded into the convolutions before it, in a copy of the model.

    Args:
        name: of the format.
        loaded: the model.
        model: its name, for messages.
        labels: the file returns labels, else logits.

    Raises:
        ModelError: the model cannot be exported.
    """
    network = deepcopy(loaded.model)
    fold_batch_norm(network)
    loaded = replace(loaded, model=network)
    if name in ("torchscript", "pt2"):
        from segmentation.export.torch_export import TORCH_WRITERS

        write = TORCH_WRITERS[name]

        def write_torch(
            info: ExportInfo, path: Path, images: Iterable[np.ndarray], effort: int
        ) -> str:
            write(loaded, info, path)
            return ""

        return write_torch

    from segmentation.export.onnx_export import make_graphs, write_onnx

    graphs = make_graphs(loaded, model, labels)
    if name == "onnx":
        return lambda *values: write_onnx(graphs, *values)
    from segmentation.export.openvino_export import write_openvino

    return lambda *values: write_openvino(graphs, *values)
