"""Load an exported file as a model: what runs it is its own runtime, not PyTorch."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from segmentation.errors import ConfigError, ModelError
from segmentation.inference.exported.metadata import ExportInfo, from_text
from segmentation.inference.exported.onnx_file import Run, first_line, open_onnx
from segmentation.inference.exported.openvino_file import open_openvino
from segmentation.inference.exported.torch_file import open_pt2, open_torchscript
from segmentation.inference.options import InferenceOptions
from segmentation.models import Outputs, TargetOutputs
from segmentation.models.saving import LoadedModel, channels_of
from segmentation.runs.directory import EXPORTED
from segmentation.targets import TargetColumns

OPEN: dict[str, Callable[[Path], tuple[str | None, Run]]] = dict(
    zip(EXPORTED, (open_onnx, open_openvino, open_torchscript, open_pt2), strict=True)
)
"""What opens a file, by its suffix."""
PROGRAMS = (".ts", ".pt2")
"""Suffixes of files that PyTorch executes: `torch.export.load` unpickles."""
TRUST = "CITYSEG_TRUST_PROGRAMS"
"""Environment variable: 1 lets `PROGRAMS` be opened."""
CERTAIN = 100.0
"""The logit of a label, where the others are 0: its probability is 1 in float32."""


class ExportedTargets:
    """The image-level targets of an exported file, which are in their units already."""

    def __init__(self, columns: TargetColumns) -> None:
        self.columns = columns

    def in_units(self, values: Tensor) -> Tensor:
        """Return the values as they are."""
        return values


class ExportedNetwork(nn.Module):
    """Runs an exported file on batches, like an `ImageModel`; on the CPU.

    Args:
        run: from images to outputs by name.
        info: the file's metadata.
        fingerprint: hash of the file; among the buffers, so that `weights_hash` tells files apart.

    Attributes:
        in_channels: of the images.
        labels_only: the file returns labels; logits are made of them, without any doubt in them.
        target_head: as of an `ImageModel`.
    """

    fingerprint: Tensor

    def __init__(self, run: Run, info: ExportInfo, fingerprint: bytes) -> None:
        super().__init__()
        description = info.description()
        assert description.classes is not None
        self._run = run
        self._dtype = channels_of(info.model).dtype
        self.in_channels = description.encoder.in_channels
        self.num_classes = len(description.classes.names)
        self.labels_only = info.head == "labels"
        self.target_head: ExportedTargets | None = None
        if description.targets is not None:
            columns = TargetColumns.from_dict(description.targets.model_dump())
            self.target_head = ExportedTargets(columns)
        self.register_buffer(
            "fingerprint", torch.frombuffer(bytearray(fingerprint), dtype=torch.uint8)
        )

    def results(self, images: Tensor) -> dict[str, Tensor]:
        """Return the file's own outputs by name.

        Args:
            images: (N, C, H, W) in the type of the model's channels, or `float32` for `uint16`.

        Raises:
            ModelError: another number of channels, or the runtime fails.
        """
        if images.ndim != 4 or images.shape[1] != self.in_channels:
            raise ModelError(
                f"The model takes images N,{self.in_channels},H,W, not "
                f"{','.join(map(str, images.shape))}."
            )
        images = images.permute(0, 2, 3, 1)
        batch = np.ascontiguousarray(images.cpu().numpy().astype(self._dtype, copy=False))
        return {name: torch.from_numpy(value) for name, value in self._run(batch).items()}

    def forward_all(self, images: Tensor) -> Outputs:
        """Return all outputs for images, see `results`."""
        results = {name: value.to(images.device) for name, value in self.results(images).items()}
        if self.labels_only:
            labels = results["labels"].long()[:, None]
            if labels.amax() >= self.num_classes:
                raise ModelError(
                    f"the exported file gives the label {int(labels.amax())}, and its classes are "
                    f"{self.num_classes}: it was not written by export."
                )
            shape = (len(labels), self.num_classes, *labels.shape[2:])
            logits = torch.zeros(shape, device=images.device).scatter_(1, labels, CERTAIN)
        else:
            logits = results["logits"]
        if self.target_head is None:
            return Outputs(logits, None)
        tiny = torch.finfo(torch.float32).tiny
        category = results["category"].clamp_min(tiny).log()
        return Outputs(logits, TargetOutputs(category, results["values"]))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K, H, W) of images, see `results`."""
        logits = self.forward_all(images).logits
        assert logits is not None
        return logits


@dataclass(frozen=True)
class ExportedModel(LoadedModel):
    """An exported file, ready for inference like a `LoadedModel`.

    `size` and `learnt_size` are None where images are resized inside.
    """

    model: ExportedNetwork  # type: ignore[assignment]
    export: ExportInfo

    @property
    def learnt_size(self) -> tuple[int, int] | None:
        """The median H,W of the training images; None if unknown, or for the graph to know."""
        return None if self.export.resizes else super().learnt_size

    @property
    def labels_only(self) -> bool:
        """Whether the file returns labels, and nothing on how sure they are."""
        return self.model.labels_only


def is_exported(path: str | Path) -> bool:
    """Return whether a path names an exported file, by its suffix."""
    return Path(path).suffix.lower() in EXPORTED


def check_views(export: ExportInfo, options: InferenceOptions) -> None:
    """Check that a file can be used for several views of an image.

    Raises:
        ConfigError: it resizes images itself, and needs whole ones; or it returns labels, whose
            views cannot be averaged.
    """
    if options.window is not None and export.resizes:
        raise ConfigError(
            "window: the exported file resizes images itself, and needs whole ones. Omit window."
        )
    if export.head == "labels" and not options.plain:
        raise ConfigError(
            "flip, scales and window average probabilities, and the exported file returns labels. "
            "Omit them, or export with head=logits."
        )


def _explaining(run: Run, path: Path, output: str) -> Run:
    """Return what runs a file, and names it where the runtime fails or an output is missing."""

    def explaining(images: np.ndarray) -> dict[str, np.ndarray]:
        try:
            outputs = run(images)
        except Exception as error:  # each runtime has its own, for a guard on sizes too
            size = "x".join(map(str, images.shape[1:3]))
            raise ModelError(
                f"{path} does not take images of {size}: {first_line(error)}"
            ) from error
        if output not in outputs:
            raise ModelError(f"{path} has no output {output}, only {', '.join(outputs)}.")
        return outputs

    return explaining


def load_exported(path: str | Path, trusted: bool = False) -> ExportedModel:
    """Open an exported file in its own runtime, on the CPU.

    Args:
        path: a file that export.py wrote.
        trusted: open a file of `PROGRAMS`, whose code may do anything; else `TRUST` has to be set.

    Raises:
        ConfigError: the runtime is not installed.
        ModelError: no such file, not one that export wrote, or a program that is not trusted.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such file.")
    if path.suffix.lower() in PROGRAMS and not trusted and os.environ.get(TRUST) != "1":
        raise ModelError(
            f"{path} is a program, and opening it can run any code that is in it. If you know who "
            f"wrote it, set the environment variable {TRUST}=1; else ask for the ONNX file."
        )
    text, run = OPEN[path.suffix.lower()](path)
    info = from_text(text, str(path))
    description = info.description()
    if description.classes is None:
        raise ModelError(f"{path} does not segment.")
    size = None if info.resizes else description.size
    with path.open("rb") as file:
        fingerprint = hashlib.file_digest(file, "sha256").digest()[:16]
    model = ExportedNetwork(_explaining(run, path, info.head), info, fingerprint).eval()
    sides = None if size is None else (size[0], size[1])
    return ExportedModel(model, description.class_table(), sides, info.model, info)
