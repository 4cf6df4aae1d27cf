"""A scoring as a run leaves it, made up: its files, and what they must say."""

import json
from pathlib import Path

import numpy as np

from segmentation.classes import ClassTable
from segmentation.metrics.calibration import BINS, UNIT
from segmentation.metrics.scores import scores
from segmentation.runs.views import View, encode_labels, encode_photo, write_views

CLASSES = ClassTable(("road", "sky", "tram"), ((128, 64, 128), (70, 130, 180), (0, 80, 100)))
IMAGES = 10


def made_scoring(directory: Path, split: str = "test") -> dict:
    """Write a scoring of ten images, the later ones the better; no tram occurs. Return metrics."""
    directory.mkdir(parents=True, exist_ok=True)
    confusion = np.zeros((IMAGES, 3, 3), dtype=np.int64)
    for place in range(IMAGES):
        right = 50 + 5 * place
        confusion[place, 0, :2] = right, 100 - right
        confusion[place, 1, :2] = 100 - right, right
    calibration = np.zeros((IMAGES, 3, BINS, 3), dtype=np.int64)
    calibration[:, 0, 14] = 10, 9, 9.5 * UNIT
    calibration[:, 1, 8] = 30, 12, 17.0 * UNIT
    names = [f"street_{place:02}" for place in range(IMAGES)]
    np.savez_compressed(
        directory / "per_image.npz",
        name=np.array(names), classes=np.array(CLASSES.names), confusion=confusion,
        colors=np.array(CLASSES.colors, dtype=np.uint8), calibration=calibration,
        boundary=np.ones((IMAGES, 3, 2), dtype=np.int64),
        boundary_f=np.ones((IMAGES, 3, 4), dtype=np.int64),
    )  # fmt: skip
    result = scores(confusion.sum(axis=0)).to_dict(CLASSES.names)
    three = {"road": 0.25, "sky": 0.5, "tram": None}
    metrics = result | {
        "images": IMAGES, "split": split, "frequency_weighted_iou": 0.6,
        "boundary_iou": {"mean": 0.375, "distance": "within 2% of the diagonal", "classes": three},
        "boundary_f": {"mean": 0.5, "distance": "within 2% of the diagonal", "classes": three},
        "calibration": {"ece": 0.125, "bins": BINS, "classes": three},
        "intervals": {
            "miou": [0.5, 0.75], "iou": {"road": [0.4, 0.7], "sky": [0.3, 0.8], "tram": None},
            "resampling": "10,000 bootstrap resamples", "notes": ["All of one sequence."],
        },
    }  # fmt: skip
    (directory / "metrics.json").write_text(json.dumps(metrics))
    (directory / "report.html").write_text("<!doctype html><title>report</title>")
    write_views(directory, ((name, _view(place)) for place, name in enumerate(names)))
    return metrics


def _view(place: int) -> View:
    image = np.full((24, 32, 3), 20 * place, dtype=np.uint8)
    truth = np.full((24, 32), place % 2, dtype=np.uint8)
    return View(
        encode_photo(image, (24, 32)),
        encode_labels(truth, CLASSES),
        encode_labels(np.zeros_like(truth), CLASSES),
    )
