"""Make and write an OpenVINO file from the ONNX graph of a model."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segmentation.export.onnx_export import Graphs, kept_words
from segmentation.inference.exported.metadata import KEY, ExportInfo, to_text

if TYPE_CHECKING:
    import openvino as ov


def write_openvino(
    graphs: Graphs, info: ExportInfo, path: Path, images: Iterable[np.ndarray], effort: int
) -> str:
    """Write ``<path>`` and the ``.bin`` beside it; arguments and result as of `write_onnx`.

    Weights of fp16 are stored in half precision (OpenVINO's compress_to_fp16); int8 is NNCF's.
    """
    import openvino as ov

    parts = {name: _converted(graph, path.parent) for name, graph in graphs.items()}
    kept = ""
    if info.precision == "int8":
        parts["network"] = _quantised(parts["network"], parts["image"], images, effort)
        kept = kept_words(effort)
    model = _joined(parts)
    model.set_rt_info(to_text(info), [KEY])
    ov.save_model(model, path, compress_to_fp16=info.precision == "fp16")
    return kept


def _converted(graph: Any, folder: Path) -> "ov.Model":
    import onnx
    import openvino as ov

    path = folder / "part.onnx"
    onnx.save(graph, path)
    return ov.convert_model(path)


def _quantised(
    network: "ov.Model", image: "ov.Model", images: Iterable[np.ndarray], effort: int
) -> "ov.Model":
    """Return the network in int8, but for the first convolution and the end, see `kept_words`."""
    import nncf
    import openvino as ov

    see = ov.compile_model(image, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    calibration = [np.array(see([pixels[None]])["pixels"]) for pixels in images]
    operations = network.get_ordered_ops()
    convolutions = [
        index
        for index, operation in enumerate(operations)
        if operation.get_type_name() in ("Convolution", "ConvolutionBackpropData")
    ]
    first = convolutions[0]
    last = convolutions[-1 - 2 * effort]
    names = [operations[first].get_friendly_name()]
    names += [
        operation.get_friendly_name()
        for operation in operations[last:]
        if operation.get_type_name() not in ("Constant", "Result", "Parameter")
    ]
    return nncf.quantize(
        network,
        nncf.Dataset(calibration),
        subset_size=len(calibration),
        ignored_scope=nncf.IgnoredScope(names=names, validate=False),
    )


def _joined(parts: dict[str, "ov.Model"]) -> "ov.Model":
    """Return one model of several: what one returns, later ones take by the same name."""
    import openvino as ov

    models = list(parts.values())
    sources: dict[str, Any] = {}
    results: dict[str, Any] = {}
    for model in models:
        for parameter in model.get_parameters() if model is not models[0] else ():
            name = next(iter(parameter.output(0).get_names()))
            results.pop(name, None)
            parameter.output(0).replace(sources[name])
        for result in model.get_results():
            name = next(iter(result.input_value(0).get_names()))
            sources[name] = result.input_value(0)
            results[name] = result
    ordered = sorted(results, key=list(results).index, reverse=True)
    joined = ov.Model([results[name] for name in ordered], models[0].get_parameters(), "cityseg")
    for output, name in zip(joined.outputs, ordered, strict=True):
        output.get_tensor().set_names({name})
    return joined
