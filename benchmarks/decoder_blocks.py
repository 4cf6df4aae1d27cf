"""Milliseconds of the first convolution of each decoder block, joined first or not.

    python benchmarks/decoder_blocks.py [--encoder resnet34] [--batch 4] [--rounds 6]

Both ways take turns in one process with one thread, so that whatever else the machine does touches
both alike; the fastest round counts. bf16 is measured where the hardware has it.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from segmentation.models import build_model
from segmentation.models.blocks import upsampled_conv
from segmentation.models.decoder import is_large
from segmentation.system.hardware import fastest_precision

HEIGHT, WIDTH = 352, 480


def joined_first(x: Tensor, skip: Tensor | None, conv: nn.Conv2d) -> Tensor:
    """Convolve upsampled and joined features as the definition says it."""
    up = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
    return conv(up if skip is None else torch.cat([up, skip], dim=1))


WAYS: dict[str, Callable[[Tensor, Tensor | None, nn.Conv2d], Tensor]] = {
    "joined": joined_first,
    "separate": upsampled_conv,
}


def measure(
    x: Tensor, skip: Tensor | None, conv: nn.Conv2d, bf16: bool, rounds: int
) -> dict[tuple[str, bool], float]:
    """Return milliseconds by the way and whether it was differentiated."""
    best: dict[tuple[str, bool], float] = {}
    for round_ in range(rounds + 1):
        for name, way in WAYS.items():
            for trains in (False, True):
                start = time.perf_counter()
                with (
                    torch.autocast("cpu", torch.bfloat16, enabled=bf16),
                    torch.set_grad_enabled(trains),
                ):
                    y = way(x, skip, conv)
                if trains:
                    y.sum().backward()
                seconds = time.perf_counter() - start
                if round_:  # the first one warms up
                    best[name, trains] = min(1e3 * seconds, best.get((name, trains), 1e9))
    return best


def main() -> None:
    """Print a row for each block."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", default="resnet34")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=6)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = build_model({"name": given.encoder, "weights": "none"}, {}, 12)
    table = Table(title=f"{given.encoder}, batch {given.batch}, {HEIGHT}x{WIDTH}, ms")
    for column in ("channels", "size", "precision", "forward", "forward and backward", "used"):
        table.add_column(column, justify="right")
    deepest = model.encoder.reductions[-1]
    blocks: Any = model.decoder.blocks
    for index, block in enumerate(blocks):
        conv = block.conv1[0]
        deep = blocks[index - 1].conv2[0].out_channels if index else model.encoder.channels[-1]
        skip_channels = conv.in_channels - deep
        height, width = (side * 2**index // deepest for side in (HEIGHT, WIDTH))
        for bf16 in (False, True) if fastest_precision("cpu") == "bf16-mixed" else (False,):
            kind = torch.bfloat16 if bf16 else torch.float32
            x = features(given.batch, deep, height, width, kind)
            skip = None
            if skip_channels:
                skip = features(given.batch, skip_channels, 2 * height, 2 * width, kind)
            found = measure(x, skip, conv, bf16, given.rounds)
            table.add_row(
                f"{deep}+{skip_channels}",
                f"{height}x{width}",
                "bf16" if bf16 else "float32",
                *(f"{found['joined', t]:.0f} → {found['separate', t]:.0f}" for t in (False, True)),
                "separate" if is_large(x) else "joined",
            )
    Console().print(table)


def features(batch: int, channels: int, height: int, width: int, kind: torch.dtype) -> Tensor:
    """Return random features in channels_last format."""
    x = torch.randn(batch, channels, height, width).to(kind, memory_format=torch.channels_last)
    return x.requires_grad_()


if __name__ == "__main__":
    main()
