"""What a model costs: its parameters, its operations, and the time of a forward pass."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

WARM_UP = 3

FORWARDS = 100

BATCH = 8
"""Images in the batches whose throughput is measured."""

FEWEST_ROUNDS = 2
"""The first is warm-up."""

Size = tuple[int, int]


@dataclass(frozen=True)
class Speed:
    """How fast a model is.

    Attributes:
        latency_ms: the median time of a forward pass of one image, in milliseconds.
        images_per_second: in batches of `BATCH`, from their median time.
        rounds: how many times each was measured.
    """

    latency_ms: float
    images_per_second: float
    rounds: int


def count_parameters(model: nn.Module) -> int:
    """Return the number of learnable values, those frozen for now too; buffers are none."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_flops(model: nn.Module, size: Size) -> int:
    """Return the operations of a forward pass of one image, a multiply-add counted as two.

    Convolutions and matrix products are counted, as PyTorch's `FlopCounterMode` knows them; sums,
    activations, norms and resizing are not: they are a few per cent of a UNet.

    Args:
        model: from `uint8` (1, 3, H, W) to logits; it keeps its mode.
        size: H and W in pixels.
    """
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    image = torch.zeros(1, 3, *size, dtype=torch.uint8, device=device)
    training = model.training
    model.eval()
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(image)
    finally:
        model.train(training)
    return counter.get_total_flops()


def latency_ms(
    model: nn.Module, size: Size, device: torch.device | str, seconds: float = 2.0
) -> float:
    """Return the median time of a forward pass of one image, in milliseconds.

    It is that of `model` as it is here: eager PyTorch, from a `uint8` image on the device to its
    logits there, in float32 unless the caller has autocast on, with the threads and the other load
    that the machine has now. It orders models that were measured alike on one machine. It is not
    the time of an exported model, of a batch, nor of reading, resizing and writing images.

    Args:
        model: from `uint8` (1, 3, H, W) to logits; it stays on its device, in its mode.
        size: H and W in pixels.
        device: where the model is.
        seconds: how long at most, warm-up included; one forward pass is always made.
    """
    device = torch.device(device)
    image = torch.zeros(1, 3, *size, dtype=torch.uint8, device=device)
    training = model.training
    model.eval()
    times: list[float] = []
    try:
        with torch.inference_mode():
            until = time.perf_counter() + seconds
            while not times or (time.perf_counter() < until and len(times) < WARM_UP + FORWARDS):
                times.append(_forward_ms(model, image, device))
    finally:
        model.train(training)
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
    """Return how fast some models are, measured in alternation, so that load meets them alike.

    In each round every model makes a forward pass of one image and one of a batch; each round
    begins with the next model. The first round is warm-up. What is timed is what `latency_ms` says.

    Args:
        models: in evaluation mode, on the device.
        sizes: H and W in pixels of the images of each.
        device: where the models are.
        seconds: for each model, as long as two rounds take no longer.
        bfloat16: in bfloat16 by autocast, else in float32.
        after_round: is told the share that is done, 0 to 1.
    """
    device = torch.device(device)
    ones = [torch.zeros(1, 3, *size, dtype=torch.uint8, device=device) for size in sizes]
    times: list[list[tuple[float, float]]] = [[] for _ in models]
    begin = time.perf_counter()
    share, rounds = 0.0, 0
    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        while rounds < FEWEST_ROUNDS or (share < 1 and rounds <= FORWARDS):
            for place in range(len(models)):
                index = (rounds + place) % len(models)
                model, image = models[index], ones[index]
                one = _forward_ms(model, image, device)
                batch = _forward_ms(model, image.expand(BATCH, -1, -1, -1).contiguous(), device)
                times[index].append((one, batch))
            rounds += 1
            share = (time.perf_counter() - begin) / max(seconds * len(models), 1e-9)
            after_round(min(share, 1.0))
    return [_speed(measured[1:]) for measured in times]


def _speed(times: Sequence[tuple[float, float]]) -> Speed:
    one, batch = (median(column) for column in zip(*times, strict=True))
    return Speed(one, 1000 * BATCH / batch, len(times))


def _forward_ms(model: nn.Module, image: torch.Tensor, device: torch.device) -> float:
    start = time.perf_counter()
    model(image)
    if device.type != "cpu":
        torch.accelerator.synchronize(device)  # a GPU returns before it has computed
    return 1000 * (time.perf_counter() - start)


def weights_fingerprint(model: nn.Module) -> str:
    """Return a hash of all parameters and buffers, whatever device they are on.

    Models that say the same of every image because they are the same have the same; a training
    that went on changes it.
    """
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        plain = value.detach().cpu().contiguous().flatten()
        digest.update(plain.view(torch.uint8).numpy().data if plain.numel() else b"")
    return digest.hexdigest()[:32]
