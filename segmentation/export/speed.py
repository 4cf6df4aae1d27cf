"""Time an export beside its model in eager PyTorch, in alternation."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from segmentation.inference.exported import ExportedModel
from segmentation.models import LoadedModel
from segmentation.system.hardware import device_name

BATCH = 4
"""Images of a batch, for the throughput."""
SECONDS = 10.0
"""Time limit of all rounds, but for the first two."""
ROUNDS = 30


@dataclass(frozen=True)
class ExportSpeed:
    """The speed of an export and of its model, from raw images to labels or logits.

    Attributes:
        latency_ms, images_per_second: of the export: the median of one image, and the throughput
            in batches of `BATCH`.
        pytorch_latency_ms, pytorch_images_per_second: of the model, in eager float32 PyTorch.
        speedup: how many times as fast the export is on one image: the median of the rounds'
            ratios.
        speedup_in_batches: likewise in batches.
        size: (height, width) of the image.
        rounds: in each of which both were timed.
        threads: of each.
        device: in words.
    """

    latency_ms: float
    images_per_second: float
    pytorch_latency_ms: float
    pytorch_images_per_second: float
    speedup: float
    speedup_in_batches: float
    size: tuple[int, int]
    rounds: int
    threads: int
    device: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self) | {"size": list(self.size)}


@torch.inference_mode()
def time_export(loaded: LoadedModel, exported: ExportedModel, image: Tensor) -> ExportSpeed:
    """Time an export and its model in alternation, so that other load affects them alike.

    Args:
        loaded: the model.
        exported: its export.
        image: (1, C, H, W), of a size that is not resized.
    """
    batch = image.expand(BATCH, -1, -1, -1).contiguous(memory_format=torch.channels_last)
    calls: list[Callable[[], object]] = [
        lambda: _predicted(loaded, image, exported.labels_only),
        lambda: exported.model.results(image),
        lambda: _predicted(loaded, batch, exported.labels_only),
        lambda: exported.model.results(batch),
    ]
    rounds: list[list[float]] = []
    begin = perf_counter()
    while len(rounds) < 3 or (len(rounds) <= ROUNDS and perf_counter() - begin < SECONDS):
        order = range(4) if len(rounds) % 2 else (1, 0, 3, 2)
        times = [0.0] * 4
        for index in order:
            times[index] = _seconds(calls[index])
        rounds.append(times)
    before, after, before_batch, after_batch = zip(*rounds[1:], strict=True)  # the first warms up
    return ExportSpeed(
        latency_ms=1000 * median(after),
        images_per_second=BATCH / median(after_batch),
        pytorch_latency_ms=1000 * median(before),
        pytorch_images_per_second=BATCH / median(before_batch),
        speedup=median(old / new for old, new in zip(before, after, strict=True)),
        speedup_in_batches=median(
            old / new for old, new in zip(before_batch, after_batch, strict=True)
        ),
        size=(image.shape[2], image.shape[3]),
        rounds=len(rounds) - 1,
        threads=torch.get_num_threads(),
        device=device_name("cpu"),
    )


def _predicted(loaded: LoadedModel, images: Tensor, labels: bool) -> Tensor:
    logits = loaded.model.forward_all(images).logits
    assert logits is not None
    return logits.argmax(dim=1).to(torch.uint8) if labels else logits


def _seconds(call: Callable[[], object]) -> float:
    begin = perf_counter()
    call()
    return perf_counter() - begin
