"""The HTML page of a check."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.classes import Color
from segmentation.data.check.finding import Finding
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.report.check.facts import counts_text, summary_grid
from segmentation.report.check.thumbnails import UNKNOWN, thumbnails
from segmentation.report.pages import write_page

CASES = 12
"""Examples shown of each finding; `check.json` lists all."""
TOGETHER = 4
"""Items shown of each example."""
BINS = 32
FEW_SIZES = 12
"""Up to this many sizes get a bar each; more are drawn as histograms."""


def write_check(
    path: Path, source: ScannedDataset, findings: Sequence[Finding], known: dict
) -> None:
    """Write the page of a data set, with its bad files, from its findings and `facts`."""
    examples = [example for finding in findings for example in finding.examples[:CASES]]
    items = [item for example in examples for item in example.items[:TOGETHER]]
    train = known["splits"]["train"]["classes"] if "train" in known["splits"] else {}
    write_page(
        path,
        "check.html",
        known=known,
        verdict=counts_text(known["counts"]),
        findings=findings,
        pictures=thumbnails(items, source.labels, source.reader),
        cases=CASES,
        together=TOGETHER,
        classes=_classes(source),
        rare=[name for name, counts in train.items() if counts["rare"]],
        unknown=_css(UNKNOWN),
        summary=summary_grid(known["splits"]),
        class_bars=_class_bars(source, known),
        **_sizes(source, known),
        exposure=_exposure(source),
    )


def _classes(source: ScannedDataset) -> list[dict[str, Any]]:
    """Return the rows of the table of classes; those that are not learnt come last."""
    rows = [
        {
            "name": entry.name,
            "color": _css(entry.color),
            "index": ", ".join(map(str, entry.indices)) or None,
            "rgb": " ".join(map(str, entry.color)),
            "counts_as": "void" if entry.void else entry.merge,
        }
        for entry in source.labels.table
    ]
    return sorted(rows, key=lambda row: row["counts_as"] is not None)


def _class_bars(source: ScannedDataset, known: dict) -> list[dict[str, Any]]:
    classes = source.labels.classes
    return [
        {
            "label": name,
            "color": _css(color),
            "shares": [split["classes"][name]["share"] for split in known["splits"].values()],
        }
        for name, color in zip(classes.names, classes.colors, strict=True)
    ]


def _sizes(source: ScannedDataset, known: dict) -> dict[str, Any]:
    """Return the plots of the sizes: none for a single one, bars for a few, else histograms."""
    splits = known["splits"]
    images = {
        split: {(size["height"], size["width"]): size["images"] for size in facts["sizes"]}
        for split, facts in splits.items()
    }
    every = {size for counts in images.values() for size in counts}
    bars, histograms = [], []
    if 1 < len(every) <= FEW_SIZES:
        for size in sorted(every):
            shares = [
                counts.get(size, 0) / max(splits[split]["usable"], 1)
                for split, counts in images.items()
            ]
            bars.append({"label": f"{size[0]} x {size[1]}", "color": None, "shares": shares})
    elif len(every) > FEW_SIZES:
        for axis, name in enumerate(("height", "width")):
            low, high = (edge(size[axis] for size in every) for edge in (min, max))
            values = {
                split: scan.sizes[scan.problem == "", axis] for split, scan in source.scans.items()
            }
            histograms.append((f"{name} in pixels", _histograms(values, low, high)))
    return {"sizes": sorted(every), "size_bars": bars, "size_histograms": histograms}


def _exposure(source: ScannedDataset) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the histograms of brightness and contrast."""
    drawn = []
    for column, name, high in ((0, "mean brightness", 255), (1, "contrast (its deviation)", 128)):
        values = {
            split: scan.brightness[scan.problem == "", column]
            for split, scan in source.scans.items()
        }
        drawn.append((name, _histograms(values, 0, high)))
    return drawn


def _histograms(values: dict[str, np.ndarray], low: float, high: float) -> list[dict[str, Any]]:
    """Return a histogram for each split, all over the same range."""
    high = max(high, low + 1)
    drawn = []
    for split, own in values.items():
        counts, _ = np.histogram(own, bins=BINS, range=(low, high))
        summary = "no image"
        if len(own):
            least, middle, most = np.percentile(own, [0, 50, 100])
            summary = f"{least:.0f} to {most:.0f}, median {middle:.0f}"
        drawn.append(
            {
                "name": split,
                "summary": summary,
                "heights": (counts / max(counts.max(), 1)).tolist(),
                "ticks": [f"{tick:.0f}" for tick in np.linspace(low, high, 5)],
            }
        )
    return drawn


def _css(color: Color) -> str:
    return "rgb({}, {}, {})".format(*color)
