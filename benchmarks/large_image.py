"""Measure time and peak memory of a data set of one tiled TIFF of 20000x20000 pixels.

    python benchmarks/large_image.py [folder]

The image is written first: 8-bit RGB, 1.2 GB decoded, about 40 MB on disk. Each command runs in a
process of its own: check, a training of one epoch of crops with its scoring in tiles, prediction.
Training crops are limited to 200, whose time grows with their number; the image scored after the
epoch and at the end has 6144x6144 pixels, which come in 36 tiles.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

SIDE, VAL_SIDE, BLOCK, FIELD = 20_000, 6_144, 512, 64
ROOT = Path(__file__).resolve().parent.parent
OPTIONS = {
    "driver": "GTiff", "dtype": "uint8", "tiled": True,
    "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "DEFLATE",
}  # fmt: skip
CLASSES = """- {name: meadow, color: [80, 160, 60], index: 0}
- {name: water, color: [40, 80, 200], index: 1}
"""


def write_data(root: Path) -> None:
    """Write an image and its mask for train, and a smaller pair for val."""
    write_pair(root, "train", SIDE)
    write_pair(root, "val", VAL_SIDE)
    (root / "classes.yaml").write_text(CLASSES)


def write_pair(root: Path, split: str, side: int) -> None:
    """Write an image of fields of two classes and its mask, block by block."""
    rng = np.random.default_rng(side)
    files = [root / folder / split / "ortho.tif" for folder in ("images", "masks")]
    for file in files:
        file.parent.mkdir(parents=True)
    size = {"height": side, "width": side}
    with (
        rasterio.open(files[0], "w", count=3, photometric="RGB", **OPTIONS, **size) as colors,
        rasterio.open(files[1], "w", count=1, **OPTIONS, **size) as labels,
    ):
        for top in range(0, side, BLOCK):
            for left in range(0, side, BLOCK):
                height, width = min(BLOCK, side - top), min(BLOCK, side - left)
                window = Window(left, top, width, height)
                fields = rng.integers(0, 2, (BLOCK // FIELD, BLOCK // FIELD), dtype=np.uint8)
                label = np.kron(fields, np.ones((FIELD, FIELD), np.uint8))[:height, :width]
                noise = rng.integers(0, 4, (3, BLOCK // 8, BLOCK // 8), dtype=np.uint8)
                noise = np.kron(noise, np.ones((1, 8, 8), np.uint8))[:, :height, :width]
                base = np.array([60, 120, 50], np.uint8)[:, None, None]
                colors.write(base + noise + 60 * label, window=window)
                labels.write(label, 1, window=window)


def measure(name: str, *command: str) -> None:
    """Run a command and print its seconds and the peak of its memory."""
    begin = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds, cpu = time.perf_counter() - begin, usage.ru_utime + usage.ru_stime
        peak = usage.ru_maxrss / 1024
        print(f"| {name} | {seconds:.0f} s | {cpu:.0f} s | {peak:.0f} MB |", flush=True)
        if os.waitstatus_to_exitcode(status) != 0:
            output.seek(0)
            print(output.read()[-2000:])


def main() -> None:
    """Write the data, run the commands and print a table."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    data, run = folder / "data", folder / "run"
    if not data.exists():
        write_data(data)
    size = sum(path.stat().st_size for path in data.glob("*/train/*.tif"))
    print(f"image and mask on disk: {size / 1e6:.0f} MB\n")
    print("| | time | CPU | peak memory |\n|---|---|---|---|", flush=True)
    options = ["data=folder", f"data.root={data}", "data.workers=0", "data.crop=[512,512]",
               "data.max_pixels=30000000"]  # fmt: skip
    measure("read nothing (imports)", "-c", "import segmentation.build.training")
    measure("check", "check.py", *options, f"output={folder / 'check'}")
    measure(
        "training: 200 crops, 36 tiles scored twice", "train.py", *options, "trainer=cpu",
        "encoder=timm", "encoder.name=test_resnet", "encoder.weights=none", "logger=none",
        "decoder.channels=[8,8,8,8,8]", "data.batch_size=4", "trainer.max_epochs=1",
        "+trainer.limit_train_batches=50",
f"hydra.run.dir={run}",
    )  # fmt: skip
    measure(
        "prediction of all 400 million pixels", "predict.py", f"model={run}", "device=cpu",
        f"input={data / 'images/train/ortho.tif'}", f"output={folder / 'masks'}",
    )  # fmt: skip
    metrics = run / "metrics.json"
    if metrics.is_file():
        print(f"\nmIoU of the tiles: {json.loads(metrics.read_text())['miou']:.3f}")


if __name__ == "__main__":
    main()
