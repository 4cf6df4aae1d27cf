"""Images per second of one training step on the CPU: this project's UNet against SMP's.

    python benchmarks/train_step.py [encoder ...]

The rounds alternate in one process, so that whatever else the machine does touches all alike; the
median round counts. "as SMP's examples run it" is float32 in PyTorch's default memory layout.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from torch import nn

from segmentation.models import build_model
from segmentation.system.hardware import available_cores

BATCH, HEIGHT, WIDTH, CLASSES = 4, 352, 480, 11


def step(model: nn.Module, images: torch.Tensor, bfloat16: bool, fused: bool) -> Callable[[], None]:
    """Return a function that trains `model` by one step of AdamW."""
    labels = torch.randint(0, CLASSES, (BATCH, HEIGHT, WIDTH))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=fused)

    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return run


def main() -> None:
    """Print one row for each encoder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoders", nargs="*", default=["resnet34"])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(available_cores())
    bytes_ = torch.randint(0, 256, (BATCH, HEIGHT, WIDTH, 3), dtype=torch.uint8)
    images = bytes_.permute(0, 3, 1, 2)  # channels_last, as the data arrive
    floats = images.float().div(255)
    for encoder in arguments.encoders:
        theirs, same = (smp.Unet(encoder, encoder_weights=None, classes=CLASSES) for _ in range(2))
        ours = build_model({"name": encoder, "weights": "none"}, {}, CLASSES)
        steps = {
            "SMP, as its examples run it": step(theirs, floats.contiguous(), False, False),
            "SMP, bf16 + channels_last + fused": step(
                same.to(memory_format=torch.channels_last), floats, True, True
            ),
            "cityseg, as it trains": step(ours, images, True, True),
        }
        seconds: dict[str, list[float]] = {name: [] for name in steps}
        for round_ in range(arguments.rounds + 1):
            for name, run in steps.items():
                start = time.perf_counter()
                run()
                if round_:  # the first one warms up
                    seconds[name].append(time.perf_counter() - start)
        base = statistics.median(seconds["SMP, as its examples run it"])
        print(f"{encoder}, batch {BATCH}, {HEIGHT}x{WIDTH}, {torch.get_num_threads()} threads")
        for name, times in seconds.items():
            median = statistics.median(times)
            print(f"  {name:34} {BATCH / median:6.2f} images/s  {base / median:5.2f}x")


if __name__ == "__main__":
    main()
