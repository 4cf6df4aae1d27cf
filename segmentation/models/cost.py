"""Measure what a model costs: parameters, FLOPs and the time of a forward pass."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

WARM_UP = 3

FORWARDS = 100

BATCH = 8
"""Batch size for throughput."""

MIN_ROUNDS = 2
"""A warm-up and a measurement."""

Size = tuple[int, int]


@dataclass(frozen=True)
class Speed:
    """The speed of a model.

    Attributes:
        latency_ms: median time of a forward pass of one image, in milliseconds.
        images_per_second: throughput in batches of `BATCH`, from their median time.
        rounds: number of measurements of each.
    """

    latency_ms: float
    images_per_second: float
    rounds: int


def count_parameters(model: nn.Module) -> int:
    """Count the parameters, frozen ones too; buffers are not counted."""
    return sum(parameter.numel() for parameter in model.parameters())


@contextmanager
def _evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Switch to evaluation mode, and restore each submodule's own mode afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def count_flops(model: nn.Module, size: Size) -> int:
    """Count the FLOPs of a forward pass of one image; a multiply-add is two.

    PyTorch's `FlopCounterMode` counts convolutions and matrix products; sums, activations, norms
    and resizing, a few per cent of a UNet, are left out.

    Args:
        model: from `uint8` (1, 3, H, W) to logits; it keeps its mode.
        size: H and W in pixels.
    """
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    image = _blank(model, size, device)
    with _evaluation_mode(model), torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(image)
    return counter.get_total_flops()


def latency_ms(
    model: nn.Module, size: Size, device: torch.device | str, seconds: float = 2.0
) -> float:
    """Measure the median time of a forward pass of one image, in milliseconds.

    Measured in eager PyTorch, from a `uint8` image on the device to its logits there, in float32
    unless the caller enabled autocast, under the machine's current load and threads. Compare it
    between models measured alike on one machine. It says nothing about an exported model, a batch,
    or reading, resizing and writing images.

    Args:
        model: from `uint8` (1, 3, H, W) to logits; it stays on its device, in its mode.
        size: H and W in pixels.
        device: device of the model.
        seconds: time limit, warm-up included; there is always one forward pass.
    """
    device = torch.device(device)
    image = _blank(model, size, device)
    times: list[float] = []
    with _evaluation_mode(model), torch.inference_mode():
        until = time.perf_counter() + seconds
        while not times or (time.perf_counter() < until and len(times) < WARM_UP + FORWARDS):
            times.append(_forward_ms(model, image, device))
    return round(median(times[WARM_UP:] or times[-1:]), 3)


@torch.inference_mode()
def speeds(
    models: Sequence[nn.Module],
    sizes: Sequence[Size],
    device: torch.device | str,
    seconds: float = 2.5,
    bfloat16: bool = False,
    after_round: Callable[[float], object] = lambda share: None,
) -> list[Speed]:
    """Measure the speed of models in alternation, so that other load affects them alike.

    In each round every model makes a forward pass of one image and one of a batch; each round
    starts with the next model. The first round is warm-up. See `latency_ms` for what is timed.

    Args:
        models: in evaluation mode, on the device.
        sizes: H and W in pixels of each model's images.
        device: device of the models.
        seconds: time limit for each model, but for the first two rounds.
        bfloat16: use bfloat16 by autocast, not float32.
        after_round: called with the progress, 0 to 1.
    """
    device = torch.device(device)
    images = [_blank(model, size, device) for model, size in zip(models, sizes, strict=True)]
    times: list[list[tuple[float, float]]] = [[] for _ in models]
    begin = time.perf_counter()
    share, rounds = 0.0, 0
    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        while rounds < MIN_ROUNDS or (share < 1 and rounds <= FORWARDS):
            for place in range(len(models)):
                index = (rounds + place) % len(models)
                model, image = models[index], images[index]
                single = _forward_ms(model, image, device)
                batch = _forward_ms(model, image.expand(BATCH, -1, -1, -1).contiguous(), device)
                times[index].append((single, batch))
            rounds += 1
            share = (time.perf_counter() - begin) / max(seconds * len(models), 1e-9)
            after_round(min(share, 1.0))
    return [_speed(measured[1:]) for measured in times]


def _blank(model: nn.Module, size: Size, device: torch.device) -> torch.Tensor:
    """Return one black image (1, C, H, W); a model that is not of this project takes RGB."""
    if isinstance(known := getattr(model, "in_channels", None), int):  # an exported file
        return torch.zeros(1, known, *size, dtype=torch.uint8, device=device)
    while not hasattr(model, "encoder") and isinstance(inner := getattr(model, "model", None),
                                                       nn.Module):  # fmt: skip
        model = inner
    channels = getattr(getattr(model, "encoder", None), "in_channels", 3)
    return torch.zeros(1, channels, *size, dtype=torch.uint8, device=device)


def _speed(times: Sequence[tuple[float, float]]) -> Speed:
    single, batch = (median(column) for column in zip(*times, strict=True))
    return Speed(single, 1000 * BATCH / batch, len(times))


def _forward_ms(model: nn.Module, image: torch.Tensor, device: torch.device) -> float:
    start = time.perf_counter()
    model(image)
    if device.type != "cpu":
        torch.accelerator.synchronize(device)  # a GPU computes asynchronously
    return 1000 * (time.perf_counter() - start)
