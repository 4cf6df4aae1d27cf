"""Fake data in CamVid's layout."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from segmentation.classes import CAMVID
from segmentation.data.discovery.layouts import Sample
from segmentation.data.discovery.pairs import Pairs
from segmentation.data.discovery.splits import find_splits
from segmentation.data.masks.labels import Labels

LABELS = Labels(CAMVID)
CLASSES = LABELS.classes


def write_pair(root: Path, split: str, name: str, image: np.ndarray, mask: np.ndarray) -> None:
    """Write one image and its mask where the SegNet tutorial's layout has them."""
    for folder, array in ((split, image), (f"{split}annot", mask)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(root / folder / f"{name}.png")


def fake_camvid(
    root: Path,
    counts: Mapping[str, int] | None = None,
    size: tuple[int, int] = (48, 64),
    seed: int = 0,
) -> Path:
    """Write images whose rows of colour follow their masks, so that a model can learn them."""
    rng = np.random.default_rng(seed)
    for split, count in (counts or {"train": 6, "val": 3, "test": 3}).items():
        for index in range(count):
            mask = fake_mask(rng, size)
            image = np.clip(mask[..., None] * 20 + rng.integers(0, 20, (*size, 3)), 0, 255)
            write_pair(root, split, f"{split}_{index:03d}", image.astype(np.uint8), mask)
    return root


def fake_mask(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Return blocks of random classes 0..11, each at least 8 pixels wide."""
    blocks = rng.integers(0, 12, (-(-size[0] // 8), -(-size[1] // 8)), dtype=np.uint8)
    return np.kron(blocks, np.ones((8, 8), dtype=np.uint8))[: size[0], : size[1]]


def samples_of(root: Path, split: str = "train") -> list[Sample]:
    """Return the samples of one split as training finds them."""
    return find_splits(root).samples[split]


def pairs_of(root: Path, split: str = "train") -> Pairs:
    """Return the decoded pairs of one split."""
    return Pairs(samples_of(root, split), LABELS)


def write_targets(root: Path, every: int = 4) -> Path:
    """Write a targets.csv for fake data in CamVid's layout, that a model can learn.

    `brightness` is the mean of the picture, and `scene` whether it is above the median; every so
    many images a cell of each is empty, and `index` counts the images of a split.
    """
    paths = sorted(path for split in ("train", "val", "test") for path in root.glob(f"{split}/*"))
    means = [float(np.asarray(Image.open(path)).mean()) for path in paths]
    rows = ["image,scene,brightness,index"]
    for number, (path, mean) in enumerate(zip(paths, means, strict=True)):
        scene = "" if number % every == 1 else "bright" if mean > np.median(means) else "dark"
        level = "" if number % every == 2 else f"{mean:.3f}"
        rows.append(f"{path.relative_to(root).as_posix()},{scene},{level},{path.stem[-3:]}")
    (root / "targets.csv").write_text("\n".join(rows) + "\n")
    return root
