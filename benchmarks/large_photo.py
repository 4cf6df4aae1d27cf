"""Measure time and peak memory of one call for a photo of 6000x4000 pixels.

    python benchmarks/large_photo.py [width height]

Each line is a process of its own: with the image resized to what the model learnt from, which is
the default, and at its own size, where it is predicted in windows. Memory is the peak above that of
the imports.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 6000, 4000
OPTIONS: dict[str, dict[str, str | None]] = {
    "resized to the training's size": {},
    "the same in float32": {"precision": "32-true"},
    "at its own size": {"short_side": None},
}


def write_photo(path: Path, width: int, height: int) -> None:
    """Write a JPEG of smooth noise."""
    small = np.random.default_rng(0).integers(0, 256, (height // 50, width // 50, 3), np.uint8)
    Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(path)


def measure(path: str, name: str) -> None:
    """Predict the photo and print a row of the table."""
    from segmentation import Predictor

    Predictor.__doc__  # noqa: B018  # imports it
    before = resource.getrusage(resource.RUSAGE_SELF)
    begin = time.perf_counter()
    result = Predictor(**OPTIONS[name])(path)  # type: ignore[arg-type]
    seconds = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = (after.ru_maxrss - before.ru_maxrss) / 1024
    height, width = result.mask.shape
    print(
        f"| {name} | {width}x{height} | {seconds:.1f} s | {cpu:.1f} s | {peak:.0f} MB |", flush=True
    )


def main() -> None:
    """Write the photo and measure each line in a process of its own."""
    if sys.argv[1:2] == ["measure"]:
        measure(*sys.argv[2:])
        return
    width, height = map(int, sys.argv[1:3]) if len(sys.argv) > 2 else (WIDTH, HEIGHT)
    print("| | image | time | CPU | memory |\n|---|---|--:|--:|--:|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        write_photo(path, width, height)
        for name in OPTIONS:
            subprocess.run([sys.executable, __file__, "measure", str(path), name], check=True)


if __name__ == "__main__":
    main()
