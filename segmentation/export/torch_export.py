"""Write a model as TorchScript or as a program of `torch.export`, for PyTorch without cityseg."""

import warnings
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export import Dim

from segmentation.export.network import Network, example, export_error
from segmentation.inference.exported.metadata import KEY, ExportInfo, to_text
from segmentation.models import LoadedModel, UNet


class WholeGraph(nn.Module):
    """A network from images (N, H, W, C) to labels or logits, and image-level targets.

    Args:
        network: see `Network`.
        labels: return `uint8` (N, H, W), else logits (N, K, H, W).
    """

    def __init__(self, network: nn.Module, labels: bool) -> None:
        super().__init__()
        self.network, self.labels = network, labels

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs for images, which are not resized."""
        scores, *targets = self.network(image.permute(0, 3, 1, 2).float())
        result = scores.argmax(1).to(torch.uint8) if self.labels else scores
        return (result, *targets)


class ScriptedGraph(nn.Module):
    """The same as a script: tracing would tie the padding to one size.

    Args:
        network: traced with sides that need no padding.
        labels: see `WholeGraph`.
        multiple: of both sides that the network takes.
    """

    def __init__(self, network: nn.Module, labels: bool, multiple: int) -> None:
        super().__init__()
        self.network, self.labels, self.multiple = network, labels, multiple

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the outputs for images, which are padded as `ImageModel.padded` does."""
        height, width = image.shape[1], image.shape[2]
        pixels = image.permute(0, 3, 1, 2).float()
        bottom, right = -height % self.multiple, -width % self.multiple
        pixels = F.pad(pixels, [0, right, 0, bottom], mode="replicate")
        outputs: list[Tensor] = self.network(pixels.contiguous(memory_format=torch.channels_last))
        scores = outputs[0][:, :, :height, :width]
        if self.labels:
            scores = scores.argmax(1).to(torch.uint8)
        return [scores] + outputs[1:]  # noqa: RUF005  # a script has no unpacking


class ListedNetwork(nn.Module):
    """A network that returns a list, as a script needs it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Return the outputs of the network."""
        return list(self.network(pixels))


def write_torchscript(loaded: LoadedModel, info: ExportInfo, path: Path) -> None:
    """Write a model as TorchScript.

    Raises:
        ModelError: the model cannot be traced.
    """
    model, network = _network(loaded)
    multiple = model.encoder.reductions[-1]
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # TorchScript calls itself deprecated
            traced = torch.jit.trace(ListedNetwork(network), example(model), strict=False)
            script = torch.jit.script(ScriptedGraph(traced, info.head == "labels", multiple).eval())
            torch.jit.save(script, path, _extra_files={KEY: to_text(info)})
    except Exception as error:
        raise export_error(loaded.model, info.source, error) from error


def write_pt2(loaded: LoadedModel, info: ExportInfo, path: Path) -> None:
    """Write a model as a program of `torch.export`.

    Raises:
        ModelError: the model cannot be exported for every size.
    """
    model, network = _network(loaded)
    images = example(model).permute(0, 2, 3, 1).to(getattr(torch, loaded.channels.dtype))
    sizes = {"image": {0: Dim("batch"), 1: Dim.DYNAMIC, 2: Dim.DYNAMIC}}
    try:
        graph = WholeGraph(network, info.head == "labels").eval()
        program = torch.export.export(graph, (images,), dynamic_shapes=sizes)
        torch.export.save(program, path, extra_files={KEY: to_text(info)})
    except Exception as error:
        raise export_error(loaded.model, info.source, error) from error


def _network(loaded: LoadedModel) -> tuple[UNet, Network]:
    assert isinstance(loaded.model, UNet)
    return loaded.model, Network(loaded.model).eval()


TORCH_WRITERS: dict[str, Callable[[LoadedModel, ExportInfo, Path], None]] = {
    "torchscript": write_torchscript,
    "pt2": write_pt2,
}
