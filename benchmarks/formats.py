"""Train the same small data set from the formats that tools leave it in.

    python benchmarks/formats.py [epochs=8]

Discs and bars on noise, 96 images of 64x64, written as plain masks, COCO (pycocotools encodes),
YOLO (polygons of OpenCV's contours) and a VOC devkit; then as TIFFs of four 16-bit bands in which
the shapes show in the fourth band alone, read whole and as three bands. Each is trained with the
same seed and recipe, on test_resnet without pretrained weights. The first four differ by the
outlines that polygons approximate; of the last two, three bands can't be better than a guess.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import rasterio
from pycocotools import mask as coco
from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).parents[1]
IMAGES, VAL, SIDE = 96, 24, 64
CLASSES = ("disc", "bar")
COLORS = np.array([(0, 0, 0), (128, 0, 0), (0, 128, 0)], np.uint8)


def draw(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image, `uint8` (H, W, 3), and its labels, 0 to 2."""
    rng = np.random.default_rng(number)
    labels = np.zeros((SIDE, SIDE), np.uint8)
    x, y, left, top = (int(value) for value in rng.integers(14, SIDE - 14, 4))
    cv2.circle(labels, (x, y), int(rng.integers(8, 13)), 1, -1)
    cv2.rectangle(labels, (left - 10, top - 4), (left + 10, top + 4), 2, -1)
    shades = np.array([(90, 90, 90), (150, 90, 90), (90, 150, 90)])[labels]
    return np.clip(shades + rng.normal(0, 20, shades.shape), 0, 255).astype(np.uint8), labels


def polygons(labels: np.ndarray, value: int) -> list[np.ndarray]:
    """Return the outlines (n, 2) of a class in x, y."""
    found, _ = cv2.findContours(
        (labels == value).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    return [outline[:, 0] for outline in found if len(outline) >= 3]


def split_of(number: int) -> str:
    """Return the split of an image."""
    return "val" if number < VAL else "train"


def save(path: Path, values: np.ndarray) -> None:
    """Write an image, RGB or greyscale."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), values[..., ::-1] if values.ndim == 3 else values)


def write_plain(root: Path) -> None:
    """Write images/{split} and masks/{split}."""
    for number in range(IMAGES):
        image, labels = draw(number)
        save(root / "images" / split_of(number) / f"{number:03}.png", image)
        save(root / "masks" / split_of(number) / f"{number:03}.png", labels)


def write_coco(root: Path) -> None:
    """Write a JSON of run lengths for each split."""
    for split in ("train", "val"):
        images: list[dict] = []
        annotations: list[dict] = []
        for number in range(IMAGES):
            if split_of(number) != split:
                continue
            image, labels = draw(number)
            name = f"{number:03}.png"
            save(root / split / name, image)
            images.append({"id": number, "file_name": name, "height": SIDE, "width": SIDE})
            for value in (1, 2):
                encoded = coco.encode(np.asfortranarray(labels == value))
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": value,
                        "iscrowd": 0,
                        "area": int(coco.area(encoded)),
                        "bbox": coco.toBbox(encoded).tolist(),
                        "segmentation": encoded | {"counts": encoded["counts"].decode()},
                    }
                )
        categories = [{"id": value, "name": name} for value, name in enumerate(CLASSES, 1)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        folder = root / "annotations"
        folder.mkdir(exist_ok=True)
        (folder / f"instances_{split}.json").write_text(json.dumps(content))


def write_yolo(root: Path) -> None:
    """Write polygons in shares of the image's sides."""
    for number in range(IMAGES):
        image, labels = draw(number)
        split = split_of(number)
        save(root / "images" / split / f"{number:03}.png", image)
        rows = [
            f"{value - 1} " + " ".join(f"{part:.5f}" for part in ((outline + 0.5) / SIDE).ravel())
            for value in (1, 2)
            for outline in polygons(labels, value)
        ]
        path = root / "labels" / split / f"{number:03}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(rows))
    names = "\n".join(f"  {value}: {name}" for value, name in enumerate(CLASSES))
    (root / "data.yaml").write_text(f"train: images/train\nval: images/val\nnames:\n{names}\n")


def write_voc(root: Path) -> None:
    """Write JPEGImages, SegmentationClass in colours, lists and labelmap.txt."""
    lists: dict[str, list[str]] = {"train": [], "val": []}
    for number in range(IMAGES):
        image, labels = draw(number)
        save(root / "JPEGImages" / f"{number:03}.png", image)
        save(root / "SegmentationClass" / f"{number:03}.png", COLORS[labels])
        lists[split_of(number)].append(f"{number:03}")
    folder = root / "ImageSets" / "Segmentation"
    folder.mkdir(parents=True)
    for split, names in lists.items():
        (folder / f"{split}.txt").write_text("\n".join(names))
    rows = zip(("background", *CLASSES), COLORS.tolist(), strict=True)
    text = "\n".join(f"{name}:{','.join(map(str, color))}::" for name, color in rows)
    (root / "labelmap.txt").write_text(text)


def write_bands(root: Path) -> None:
    """Write four 16-bit bands; shapes are in the fourth, the others are noise."""
    for number in range(IMAGES):
        _, labels = draw(number)
        rng = np.random.default_rng(number)
        bands = rng.normal(2000, 300, (4, SIDE, SIDE))
        bands[3] += np.array([0, 900, 1800])[labels]
        path = root / "images" / split_of(number) / f"{number:03}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        profile = {"driver": "GTiff", "dtype": "uint16", "count": 4}
        with rasterio.open(path, "w", width=SIDE, height=SIDE, **profile) as file:
            file.write(bands.astype(np.uint16))
        save(root / "masks" / split_of(number) / f"{number:03}.png", labels)


def train(root: Path, run: Path, epochs: str, *options: str) -> float:
    """Train on a folder, and return the best mIoU on val, in percent."""
    command = [
        sys.executable, "train.py", "data=folder", f"data.root={root}", f"hydra.run.dir={run}",
        "encoder=timm", "encoder.name=test_resnet", "encoder.weights=none", "augment=none",
        "logger=none", f"trainer.max_epochs={epochs}", "optimizer.lr=3e-3", "data.cache=off",
        *options,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return 100 * json.loads((run / "metrics.json").read_text())["miou"]


def main() -> None:
    """Write, train and print."""
    epochs = dict(word.split("=") for word in sys.argv[1:]).get("epochs", "8")
    cases = {
        "plain masks": (write_plain, ()),
        "COCO": (write_coco, ()),
        "YOLO": (write_yolo, ()),
        "VOC": (write_voc, ()),
        "4 bands of 16 bits": (write_bands, ()),
        "the same, 3 bands": (write_bands, ("data.channels=[1,2,3]",)),
    }
    table = Table("format", "mIoU on val")
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, (write, options)) in enumerate(cases.items()):
            root = Path(folder, str(number))
            root.mkdir()
            write(root)
            score = train(root, Path(folder, f"run{number}"), epochs, *options)
            table.add_row(name, f"{score:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
