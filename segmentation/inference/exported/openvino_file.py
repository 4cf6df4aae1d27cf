"""Open an OpenVINO file in its own runtime."""

import threading
from pathlib import Path

import numpy as np
import torch

from segmentation.errors import ModelError
from segmentation.inference.exported.metadata import KEY
from segmentation.inference.exported.onnx_file import Run
from segmentation.system.packages import require_extra

MAX_XML_BYTES = 2**26
"""Larger than any graph of this project, whose weights are in the .bin."""


def open_openvino(path: Path) -> tuple[str | None, Run]:
    """Return the metadata of an OpenVINO file and what runs it, on the CPU in its own precision.

    A graph is data; its weights are in the ``.bin`` of the same name, and nowhere else.

    Raises:
        ConfigError: OpenVINO is not installed.
        ModelError: it is not a readable OpenVINO file, or its ``.bin`` is missing.
    """
    require_extra("openvino", str(path))
    import openvino as ov

    weights = path.with_suffix(".bin")
    if not weights.is_file():
        raise ModelError(f"{weights} is missing: it holds the weights of {path.name}.")
    if path.stat().st_size > MAX_XML_BYTES:
        raise ModelError(f"{path} is larger than {MAX_XML_BYTES:,} bytes: it is not a graph.")
    options = {
        "INFERENCE_PRECISION_HINT": "f32",  # else bfloat16 where the processor has it
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    try:
        core = ov.Core()
        model = core.read_model(path, weights)
        text = model.get_rt_info([KEY]).astype(str) if model.has_rt_info([KEY]) else None
        compiled = core.compile_model(model, "CPU", options)
    except Exception as error:  # OpenVINO raises RuntimeError for anything
        reason = str(error).strip().splitlines()[-1]
        raise ModelError(f"{path} cannot be run by OpenVINO: {reason}") from error
    names = [output.get_any_name() for output in compiled.outputs]
    of_thread = threading.local()

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        if not hasattr(of_thread, "request"):
            of_thread.request = compiled.create_infer_request()
        results = of_thread.request.infer([images], share_inputs=True)
        return {name: results[name].copy() for name in names}

    return text, run
