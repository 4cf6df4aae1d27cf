"""Compose and write an ONNX file: image in, labels or logits out."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from segmentation.export.network import network_graph
from segmentation.inference.exported.metadata import KEY, ExportInfo, to_text
from segmentation.models import LoadedModel

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto


def network_of(loaded: LoadedModel, name: str) -> "ModelProto":
    """Return the network of a model as an ONNX graph, see `network_graph`."""
    with quiet_exporter():
        return network_graph(loaded.model, name)  # type: ignore[arg-type]


def compose(network: "ModelProto", loaded: LoadedModel, labels: bool) -> "ModelProto":
    """Return the whole graph, from the input `image`.

    Args:
        network: from `pixels` to `scores`, and image-level targets where there are any.
        loaded: the model.
        labels: the output is `labels`, else `logits`; see `image_graphs`.
    """
    from segmentation.export.image_graphs import image_graph, result_graph

    assert loaded.classes is not None
    channels = loaded.channels
    image = image_graph(len(channels), channels.dtype, loaded.size, loaded.learnt_size)
    return joined(
        {
            "image": image,
            "network": network,
            "result": result_graph(len(loaded.classes), labels),
        }
    )


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
    first = next(iter(models.values()))
    domains = {entry.domain: entry for model in models.values() for entry in model.opset_import}
    return onnx.helper.make_model(
        graph, opset_imports=list(domains.values()), ir_version=first.ir_version
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


def write_onnx(graph: "ModelProto", info: ExportInfo, path: Path) -> None:
    """Write a graph with its metadata."""
    import onnx

    graph.producer_name, graph.producer_version = "cityseg", info.version
    onnx.helper.set_model_props(graph, {KEY: to_text(info)})
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


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
