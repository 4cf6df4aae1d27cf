"""Runs as trainings leave them, made up: what a comparison reads of them."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from segmentation.classes import ClassTable
from segmentation.metrics.scores import scores
from segmentation.models import Encoder, UNet, save_model

CLASSES = ClassTable(("Sky", "Road", "Sign_50%"), ((0, 0, 200), (128, 64, 128), (0, 200, 0)))
IMAGES = 24
SETTINGS: dict[str, Any] = {
    "data": {
        "name": "camvid", "root": "/data", "folds": None, "fold": None, "size": [32, 32],
        "workers": "auto", "classes": "camvid",
    },
    "encoder": {"name": "resnet34", "weights": "none"},
    "decoder": {"channels": [32, 16, 16, 8, 8], "attention": "none"},
    "loss": {
        "class_weights": "none",
        "terms": {
            "cross_entropy": {
                "_target_": "segmentation.training.losses.CrossEntropy", "weight": 1.0,
            },
        },
    },
    "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.001},
    "trainer": {"_target_": "pytorch_lightning.Trainer", "accelerator": "auto", "max_epochs": 7},
    "callbacks": {},
    "logger": {},
    "seed": 0,
}  # fmt: skip


def settings(**changes: Any) -> dict[str, Any]:
    """Return the configuration of a run; `encoder__name="x"` changes encoder.name."""
    result = copy.deepcopy(SETTINGS)
    for key, value in changes.items():
        node = result
        *parts, last = key.split("__")
        for part in parts:
            node = node.setdefault(part, {})
        node[last] = value
    return result


def confusion(better: float, seed: int = 0, images: int = IMAGES) -> np.ndarray:
    """Return matrices (images, 3, 3) whose truth is the same for all models.

    Args:
        better: the share of pixels that are right is 0.6 and this much more.
        seed: of what this model gets wrong besides what is hard for all.
    """
    truth = np.random.default_rng(1).integers(500, 1500, (images, 3))
    hard = 0.1 * np.random.default_rng(2).normal(size=(images, 3))
    own = 0.02 * np.random.default_rng(seed + 10).normal(size=(images, 3))
    right = np.floor(truth * np.clip(0.6 + better + hard + own, 0, 1)).astype(np.int64)
    result = np.zeros((images, 3, 3), dtype=np.int64)
    places = np.arange(3)
    result[:, places, places] = right
    result[:, places, (places + 1) % 3] = truth - right
    return result


def names(images: int = IMAGES, prefix: str = "image") -> list[str]:
    """Return names that are no video's."""
    return [f"{prefix}{chr(97 + index % 26)}{index // 26}x" for index in range(images)]


def write_scoring(
    directory: Path,
    matrices: np.ndarray,
    split: str = "val",
    image_names: list[str] | None = None,
    **facts: Any,
) -> Path:
    """Write what a scoring leaves: per_image.npz and metrics.json."""
    directory.mkdir(parents=True, exist_ok=True)
    classes = facts.pop("classes", CLASSES.names)
    np.savez_compressed(
        directory / "per_image.npz",
        name=np.array(image_names or names(len(matrices))),
        confusion=matrices,
        classes=np.array(classes),
    )
    metrics = scores(matrices.sum(axis=0)).to_dict(classes)
    metrics |= {"images": len(matrices), "split": split, "warnings": [], **facts}
    (directory / "metrics.json").write_text(json.dumps(metrics))
    return directory


def write_begun(directory: Path, config: dict[str, Any], **environment: Any) -> Path:
    """Write what a run has that is not finished."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.yaml").write_text(yaml.safe_dump(config))
    facts = {"overrides": [], "device": "CPU, 1 core", **environment}
    (directory / "environment.json").write_text(json.dumps(facts))
    return directory


def write_run(
    directory: Path,
    config: dict[str, Any] | None = None,
    better: float = 0.0,
    split: str = "val",
    seconds: float = 60.0,
    **facts: Any,
) -> Path:
    """Write a finished run; its own seed decides what it gets wrong."""
    config = config or settings()
    write_begun(directory, config)
    matrices = confusion(better, config["seed"])
    return write_scoring(directory, matrices, split, seconds=seconds, **facts)


def write_model(run: Path, size: tuple[int, int] | None = (32, 32)) -> Path:
    """Write a small model of the classes into a run, for images of a size."""
    torch.manual_seed(0)
    model = UNet(Encoder("test_resnet", 3, weights="none"), len(CLASSES), channels=[8] * 5)
    save_model(model, run / "model", CLASSES, size)
    return run
