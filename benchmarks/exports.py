"""Export a model in every format and precision, and print the table of docs/export.md.

    python benchmarks/exports.py <CamVid> [model] [--heads labels logits]

Each row is what `export.py` found: scores on val, times in alternation with eager float32 PyTorch.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from segmentation.export.formats import FORMATS

ROOT = Path(__file__).resolve().parent.parent
HEAD = ("export", "mIoU", "difference [95% CI]", "equal labels", "largest difference", "MB", "ms",
        "images/s", "one image", "in batches")  # fmt: skip


def export(format_: str, precision: str, head: str, model: str, camvid: str) -> dict[str, Any]:
    """Return the content of export.json, also of a rejected file."""
    with tempfile.TemporaryDirectory() as folder:
        words = [f"format={format_}", f"precision={precision}", f"head={head}", f"model={model}"]
        words += ["data=camvid", f"data.root={camvid}", f"output={folder}"]
        done = subprocess.run([sys.executable, ROOT / "export.py", *words], stderr=subprocess.PIPE)
        report = Path(folder) / "export.json"
        if not report.is_file():
            sys.exit(done.stderr.decode())
        return json.loads(report.read_text())


def row(result: dict[str, Any]) -> list[str]:
    """Return the cells of an export."""
    parity, speed = result["parity"], result["speed"]
    low, high = parity["interval"] or (float("nan"), float("nan"))
    largest = parity["largest_difference"]
    name = f"{result['format']} {result['precision']} {result['head']}"
    return [
        name if result["accepted"] else f"{name} (rejected)",
        f"{100 * parity['miou_after']:.2f}",
        f"{parity['difference']:+z.2f} [{low:+z.2f}, {high:+z.2f}]",
        f"{parity['equal_labels']:.3%}",
        "" if largest is None else f"{largest:.2g}",
        f"{result['megabytes']:.1f}",
        f"{speed['latency_ms']:.0f} ({speed['pytorch_latency_ms']:.0f})",
        f"{speed['images_per_second']:.1f} ({speed['pytorch_images_per_second']:.1f})",
        f"{speed['speedup']:.2f}x",
        f"{speed['speedup_in_batches']:.2f}x",
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("camvid")
    parser.add_argument("model", nargs="?", default="camvid_efficientnet_lite0_long")
    parser.add_argument("--heads", nargs="+", default=["labels"], choices=["labels", "logits"])
    options = parser.parse_args()
    results = [
        export(name, precision, head, options.model, options.camvid)
        for head in options.heads
        for name, kind in FORMATS.items()
        for precision in kind.precisions
    ]
    lines = [HEAD, ["---"] * len(HEAD), *map(row, results)]
    Console().print(*(f"| {' | '.join(line)} |" for line in lines), sep="\n", soft_wrap=True)


if __name__ == "__main__":
    main()
