"""What a model costs: its parameters, and the time of a forward pass."""

import time
from statistics import median

import torch
from torch import nn

WARM_UP = 3
FORWARDS = 100


def count_parameters(model: nn.Module) -> int:
    """Return the number of learnable values, those frozen for now too; buffers are none."""
    return sum(parameter.numel() for parameter in model.parameters())


def latency_ms(
    model: nn.Module, size: tuple[int, int], device: torch.device | str, seconds: float = 2.0
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


def _forward_ms(model: nn.Module, image: torch.Tensor, device: torch.device) -> float:
    start = time.perf_counter()
    model(image)
    if device.type != "cpu":
        torch.accelerator.synchronize(device)  # a GPU returns before it has computed
    return 1000 * (time.perf_counter() - start)
