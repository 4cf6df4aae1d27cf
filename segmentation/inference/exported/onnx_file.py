"""Open an ONNX file in ONNX Runtime."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from segmentation.errors import ModelError
from segmentation.inference.exported.metadata import KEY
from segmentation.system.packages import require_extra

Run = Callable[[np.ndarray], dict[str, np.ndarray]]
"""From images to the outputs by name."""


def open_onnx(path: Path) -> tuple[str | None, Run]:
    """Return the metadata of an ONNX file and what runs it, on the CPU.

    A graph is data: ONNX Runtime executes its operators, and loads no code for it. Weights that the
    file keeps in others are refused, as their paths may lead anywhere.

    Raises:
        ConfigError: ONNX Runtime is not installed.
        ModelError: it is not a readable ONNX file, or keeps weights in other files.
    """
    require_extra("onnx", str(path))
    import onnx
    import onnxruntime as ort

    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's own errors
        raise ModelError(f"{path} is not an ONNX file: {error}") from error
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _tensors(model)):
        raise ModelError(f"{path} keeps weights in other files: only files of one piece are read.")
    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class for each of its status codes
        raise ModelError(f"{path} cannot be run by ONNX Runtime: {error}") from error
    names = [output.name for output in session.get_outputs()]
    text = next((entry.value for entry in model.metadata_props if entry.key == KEY), None)

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, {"image": images}), strict=True))

    return text, run


def first_line(error: Exception) -> str:
    """Return the first line of what a runtime says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _tensors(message: Any) -> Iterator[Any]:
    """Yield all tensors of a model, those of attributes and functions too."""
    graphs = [message.graph, *message.functions]
    while graphs:
        graph = graphs.pop()
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                yield from (attribute.t, *attribute.tensors)
                for value in (attribute.sparse_tensor, *attribute.sparse_tensors):
                    yield from (value.values, value.indices)
                graphs += [attribute.g, *attribute.graphs]
