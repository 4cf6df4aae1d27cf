"""The network as an ONNX graph: from planes to scores, for every size and batch."""

import traceback
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.export import Dim

from segmentation.errors import ModelError
from segmentation.models import UNet

if TYPE_CHECKING:
    from onnx import ModelProto

MAX_PARAMETERS = 2**29 - 2**22
"""Of a file of one piece: protobuf ends at 2 GiB."""


class Network(nn.Module):
    """A model as a function of tensors.

    Args:
        model: in evaluation mode.
    """

    def __init__(self, model: UNet) -> None:
        super().__init__()
        self.model = model

    @property
    def names(self) -> list[str]:
        """The names of the outputs."""
        return ["scores"] if self.model.target_head is None else ["scores", "category", "values"]

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Return scores (N, K, H, W), and image-level targets where the model has any.

        Args:
            pixels: `float32` (N, C, H, W), not normalised.

        Returns:
            The scores; also the probabilities of categories (N, categories) and the values
            (N, columns) in their units.
        """
        logits, targets = self.model.forward_all(pixels)
        assert logits is not None
        if targets is None or self.model.target_head is None:
            return (logits,)
        values = self.model.target_head.in_units(targets.values)
        return logits, targets.category.softmax(dim=1), values


def example(model: UNet) -> Tensor:
    """Return planes that the graph is made with, of no size that another dimension has."""
    return torch.zeros(2, model.encoder.in_channels, 96, 160)


def network_graph(model: UNet, name: str) -> "ModelProto":
    """Return the network as an ONNX model from `pixels` to the outputs of `Network`.

    Args:
        model: in evaluation mode, on the CPU.
        name: of the model, for messages.

    Raises:
        ModelError: an operator or a layer is for one size alone, or the model is too large.
    """
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if parameters > MAX_PARAMETERS:
        raise ModelError(
            f"{name} has {parameters:,} parameters: a file of one piece has at most "
            f"{MAX_PARAMETERS:,} (2 GiB). Use format=torchscript or format=pt2."
        )
    network = Network(model).eval()
    sizes = {"pixels": {0: Dim("batch"), 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}}
    try:
        program = torch.onnx.export(
            network,
            (example(model),),
            dynamo=True,
            dynamic_shapes=sizes,
            input_names=["pixels"],
            output_names=network.names,
            verbose=False,
        )
    except Exception as error:  # torch.export raises nearly anything of its own
        raise export_error(model, name, error) from error
    assert program is not None
    return program.model_proto


def export_error(model: nn.Module, name: str, error: Exception) -> ModelError:
    """Return the error for a model that cannot be exported: the layer, and why."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    names = {id(module): key for key, module in model.named_modules() if key}
    layer = None
    for frame, _ in traceback.walk_tb(cause.__traceback__):
        layer = names.get(id(frame.f_locals.get("self")), layer)
    where = (
        "" if layer is None else f" Layer {layer} ({type(model.get_submodule(layer)).__name__}):"
    )
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    why = " ".join(lines[:2]) or type(cause).__name__
    return ModelError(
        f"{name} cannot be exported as a graph for every size.{where} {why}\n"
        "Its encoder or a layer works for one size, or has an operation without a counterpart. "
        "Choose another encoder."
    )
