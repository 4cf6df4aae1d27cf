"""Scorings and runs as the commands leave them, made up in a moment."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from segmentation.classes import VOID, ClassTable
from segmentation.evaluation.comparison.compare import compare
from segmentation.evaluation.comparison.result import Comparison, Contender, Cost
from segmentation.evaluation.statistics.intervals import interval_facts
from segmentation.metrics.boundary import band_counts, contour_counts
from segmentation.metrics.calibration import BINS, UNIT
from segmentation.runs.directory import write_config
from segmentation.runs.per_image_file import read_scored
from segmentation.runs.results import write_results
from segmentation.runs.scored_images import ScoredImages
from segmentation.runs.views import View, encode_labels, encode_photo, write_views
from segmentation.system.files import write_json

CLASSES = ClassTable(
    ("Sky", "Road", "Car", "Pole"), ((0, 90, 200), (90, 60, 90), (200, 0, 0), (230, 230, 0))
)
HOSTILE = "</script><img src=http://x.test/ onerror=alert(1)>&amp;\"'`{{7*7}}ünï %{x} <b>"
WARNING = "The <b>weights</b> are random."
CSV = """epoch,lr-AdamW/decoder,lr-AdamW/encoder,step,train/loss_epoch,train/loss_step,val/miou
,0.001,0.001,0,,2.5,
0,,,9,2.0,,0.2
1,,,19,1.0,,0.5
2,,,29,0.9,,0.4
"""


def make_evaluation(
    directory: Path,
    images: int = 6,
    classes: ClassTable = CLASSES,
    seed: int = 0,
    wrong: float = 0.3,
    size: tuple[int, int] = (24, 32),
    names: Sequence[str] | None = None,
    **facts: object,
) -> Path:
    """Write a scoring of images whose truth is that of all seeds, and so are their names.

    Args:
        directory: where to.
        images: how many.
        classes: what is predicted.
        seed: of the predictions.
        wrong: the share of the blocks that are predicted wrong in the first image; in the last one
            there are none.
        size: (height, width) of the images.
        names: of the images; None: numbered.
        facts: what metrics.json says besides.
    """
    names = list(names or (f"frame_{index:03d}" for index in range(images)))
    parts: dict[str, list[np.ndarray]] = {
        key: [] for key in ("confusion", "boundary", "boundary_f", "calibration")
    }
    views = []
    count = len(classes)
    for index, name in enumerate(names):
        common, own = np.random.default_rng(index), np.random.default_rng((seed, index))
        truth = _blocks(common.integers(0, count, (size[0] // 4, size[1] // 4)), size)
        guess = _blocks(own.integers(0, count, (size[0] // 4, size[1] // 4)), size)
        fails = _blocks(
            own.random((size[0] // 4, size[1] // 4)) < wrong * (1 - index / images), size
        )
        prediction = np.where(fails, guess, truth).astype(np.uint8)
        truth = truth.astype(np.uint8)
        truth[:2] = VOID
        kept = truth != VOID
        confusion = np.zeros((count, count), np.int64)
        np.add.at(confusion, (truth[kept], prediction[kept]), 1)
        sure = np.zeros((count, BINS, 3), np.int64)
        bins = own.integers(BINS // 2, BINS, kept.sum())
        right = truth[kept] == prediction[kept]
        values = np.stack([np.ones(len(bins)), right, (bins + 0.5) / BINS * UNIT], axis=1)
        np.add.at(sure, (prediction[kept], bins), values.astype(np.int64))
        for key, value in zip(
            parts,
            (
                confusion,
                band_counts(truth, prediction, count),
                contour_counts(truth, prediction, count),
                sure,
            ),
            strict=True,
        ):
            parts[key].append(value)
        photo = np.clip(truth[..., None] * 40 + common.integers(0, 30, (*size, 3)), 0, 255)
        views.append(
            (
                name,
                View(
                    encode_photo(photo.astype(np.uint8), size),
                    encode_labels(truth, classes),
                    encode_labels(prediction, classes),
                ),
            )
        )
    arrays = {key: np.array(value) for key, value in parts.items()}
    scored = ScoredImages.from_counts(directory, names, classes, arrays.pop("confusion"), arrays)
    directory.mkdir(parents=True, exist_ok=True)
    write_results(
        directory,
        scored,
        names,
        None,
        split="val",
        data="/data/<camvid>",
        warnings=[WARNING],
        intervals=interval_facts(scored),
        **facts,
    )
    write_views(directory, views)
    return directory


def make_run(directory: Path, **options: object) -> Path:
    """Write a run directory with its scoring, its curves, its configuration and environment."""
    make_evaluation(
        directory, epoch=2, parameters=1234567, latency_ms=12.5, seconds=60.0, **options
    )  # type: ignore[arg-type]
    (directory / "metrics.csv").write_text(CSV)
    write_config(
        directory,
        {
            "seed": 7,
            "data": {"name": "made", "batch_size": 99},
            "encoder": {"name": "made"},
            "trainer": {"max_epochs": 1},
            "logger": {},
        },
    )
    write_json(
        directory / "environment.json",
        {"command": ["secret"], "python": "3.11", "versions": {"torch": "2.15"}},
    )
    return directory


def make_comparison(
    folder: Path, seeds: Sequence[int] = (2, 1, 1), **options: object
) -> tuple[Comparison, list[Contender]]:
    """Write runs of some contenders, the first the best, and compare them.

    Args:
        folder: where to.
        seeds: how many runs each contender has.
        options: of `make_run`.
    """
    contenders = []
    for number, count in enumerate(seeds):
        places = [
            make_run(
                folder / f"{number}_{seed}",
                seed=10 * number + seed,
                wrong=0.2 + 0.25 * number,
                **options,
            )
            for seed in range(count)
        ]
        cost = Cost(1000 * (3 - number), 10**9, 5.0 - number, 100.0, 60.0, (24, 32), "CPU, 1 core")
        name = f"<b>model {number}</b>"
        contenders.append(Contender(name, tuple(map(read_scored, places)), tuple(places), cost))
    found = compare({one.name: one.evaluations for one in contenders}, resamples=1000)
    by_name = {one.name: one for one in contenders}
    return found, [by_name[entry.name] for entry in found.entries]


def big_views(scoring: Path, names: Sequence[str], size: tuple[int, int] = (360, 480)) -> None:
    """Replace the views by ones as large as those of photographs; a few serve all images."""
    random = np.random.default_rng(0)
    made = []
    for _ in range(4):
        coarse = random.integers(0, 256, (45, 60, 3), dtype=np.uint8)
        photo = Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC)
        noisy = np.asarray(photo).astype(int) + random.integers(-20, 20, (*size, 3))
        labels = _blocks(random.integers(0, 4, (size[0] // 10, size[1] // 10)), size, 10)
        png = encode_labels(labels.astype(np.uint8), CLASSES)
        other = encode_labels(np.roll(labels, 7, axis=1).astype(np.uint8), CLASSES)
        made.append(View(encode_photo(np.clip(noisy, 0, 255).astype(np.uint8), size), png, other))
    write_views(scoring, ((name, made[index % 4]) for index, name in enumerate(names)))


def size_of(png: bytes) -> tuple[int, int]:
    """Return (width, height) of an encoded picture."""
    with Image.open(io.BytesIO(png)) as image:
        return image.size


def _blocks(values: np.ndarray, size: tuple[int, int], side: int = 4) -> np.ndarray:
    return np.kron(values, np.ones((side, side), values.dtype))[: size[0], : size[1]]
