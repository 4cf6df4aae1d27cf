"""Make and write an ONNX file: image in, labels or logits out."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segmentation.export.network import network_graph
from segmentation.inference.exported.metadata import KEY, ExportInfo, to_text
from segmentation.models import LoadedModel, UNet

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

Graphs = dict[str, "ModelProto"]
"""The parts of a graph in their order: ``image``, ``network`` and ``result``."""
SMALL = 1024
"""Values of a tensor; larger ones are stored in half precision by fp16."""


def make_graphs(loaded: LoadedModel, name: str, labels: bool) -> Graphs:
    """Return the parts of the graph of a model that segments, see `image_graphs`.

    Args:
        loaded: the model.
        name: of the model, for messages.
        labels: the output is `labels`, else `logits`.

    Raises:
        ModelError: the model cannot be exported.
    """
    from segmentation.export.image_graphs import image_graph, result_graph

    assert loaded.classes is not None
    assert isinstance(loaded.model, UNet)
    channels = loaded.channels
    with quiet_exporter():
        network = network_graph(loaded.model, name)
    parts = [
        image_graph(len(channels), channels.dtype, loaded.size, loaded.learnt_size),
        network,
        result_graph(len(loaded.classes), labels),
    ]
    return dict(zip(("image", "network", "result"), _same_version(parts), strict=True))


def write_onnx(
    graphs: Graphs, info: ExportInfo, path: Path, images: Iterable[np.ndarray], effort: int
) -> str:
    """Write an ONNX file, and return in words which layers are left in float.

    Weights of fp16 are stored in half precision and computed with in float32; of int8 those and
    activations are 8-bit (QDQ, weights by channel), but for the layers that the words name.

    Args:
        graphs: of the model; the network alone is quantised, so that labels stay exact around it.
        info: the file's metadata; its precision is what is written.
        path: of the file.
        images: (H, W, C), to calibrate int8 with.
        effort: 0; 1: more layers of int8 are left in float.
    """
    import onnx

    network, kept = graphs["network"], ""
    if info.precision == "fp16":
        network = half_weights(network)
    elif info.precision == "int8":
        network, kept = quantised(network, pixels_of(graphs["image"], images), path.parent, effort)
    model = joined({**graphs, "network": network})
    model.producer_name, model.producer_version = "cityseg", info.version
    onnx.helper.set_model_props(model, {KEY: to_text(info)})
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return kept


def pixels_of(image: "ModelProto", images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield what the network sees of images (H, W, C): `float32` (1, C, h, w)."""
    import onnxruntime as ort

    session = ort.InferenceSession(image.SerializeToString(), providers=["CPUExecutionProvider"])
    for pixels in images:
        yield session.run(["pixels"], {"image": pixels[None]})[0]


def half_weights(network: "ModelProto") -> "ModelProto":
    """Return a network whose weights are stored in half precision, and cast when it is loaded."""
    import onnx

    result = type(network)()
    result.CopyFrom(network)
    casts = []
    for weight in result.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < SMALL:
            continue
        name, stored = weight.name, f"{weight.name}.half"
        weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(onnx.helper.make_node("Cast", [stored], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *result.graph.node]
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result


def quantised(
    network: "ModelProto", pixels: Iterable[np.ndarray], folder: Path, effort: int
) -> tuple["ModelProto", str]:
    """Return the network in int8, and which layers are not, in words.

    Args:
        network: from `pixels` to `scores`.
        pixels: what it is calibrated with.
        folder: for intermediate files.
        effort: see `write_onnx`.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(pixels)

        def get_next(self) -> dict[str, Any] | None:
            return next(({"pixels": batch} for batch in self.left), None)

    whole, prepared, result = (folder / f"{name}.onnx" for name in ("float", "prepared", "int8"))
    onnx.save(network, whole)
    quant_pre_process(whole, prepared, skip_symbolic_shape=True)
    model = onnx.load(prepared)
    convolutions = [
        index
        for index, node in enumerate(model.graph.node)
        if node.op_type in ("Conv", "ConvTranspose")
    ]
    last = convolutions[-1 - 2 * effort]
    kept = [model.graph.node[convolutions[0]].name]
    kept += [node.name for node in model.graph.node[last:]]
    quantize_static(
        prepared,
        result,
        Reader(),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=kept,
    )
    return onnx.load(result), kept_words(effort)


def kept_words(effort: int) -> str:
    """Return which layers an int8 file leaves in float."""
    block = " and the decoder's last block" if effort else ""
    return f"the first convolution, the head{block}"


def joined(models: Mapping[str, "ModelProto"]) -> "ModelProto":
    """Return one graph of several: what one returns, later ones take by the same name.

    Args:
        models: by the prefix of their inner names; the first one's inputs are those of the whole,
            whose outputs are what no model takes.
    """
    import onnx

    models = dict(zip(models, _same_version(list(models.values())), strict=True))
    parts = [_prefixed(model.graph, f"{prefix}.") for prefix, model in models.items()]
    taken = {value.name for part in parts[1:] for value in part.input}
    outputs = [value for part in reversed(parts) for value in part.output]
    graph = onnx.helper.make_graph(
        [node for part in parts for node in part.node],
        "cityseg",
        list(parts[0].input),
        [value for value in outputs if value.name not in taken],
        [weight for part in parts for weight in part.initializer],
    )
    opsets = {entry.domain: entry for model in models.values() for entry in model.opset_import}
    return onnx.helper.make_model(
        graph,
        opset_imports=list(opsets.values()),
        ir_version=models[next(iter(models))].ir_version,
    )


def _prefixed(graph: "GraphProto", prefix: str) -> "GraphProto":
    """Return a graph whose inner names begin with a prefix; inputs and outputs keep theirs."""
    kept = {"", *(value.name for value in (*graph.input, *graph.output))}

    def rename(part: "GraphProto") -> None:
        for named in (*part.node, *part.initializer, *part.output):
            if named.name not in kept:
                named.name = prefix + named.name
        for node in part.node:
            for names in (node.input, node.output):
                names[:] = [name if name in kept else prefix + name for name in names]
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    rename(attribute.g)
        del part.value_info[:]

    result = type(graph)()
    result.CopyFrom(graph)
    rename(result)
    return result


def _same_version(models: Sequence["ModelProto"]) -> list["ModelProto"]:
    """Return models of the newest version of operators and of the format among them."""
    from onnx import version_converter

    newest = max(_opset(model) for model in models)
    file_format = max(model.ir_version for model in models)
    converted = []
    for model in models:
        same = _opset(model) == newest
        converted.append(model if same else version_converter.convert_version(model, newest))
        converted[-1].ir_version = file_format
    return converted


def _opset(model: "ModelProto") -> int:
    return next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Keep torch.onnx's progress and notes off the terminal; errors are raised."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
