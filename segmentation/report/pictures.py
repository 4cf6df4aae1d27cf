"""The pictures of a page: a gallery of thumbnails, and images with layers to lay over them."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from segmentation.classes import VOID
from segmentation.console import percent
from segmentation.pictures import UNKNOWN, WRONG
from segmentation.report.data_uri import file_uri, labels_uri, photo_uri
from segmentation.runs.views import View, labels_of

LONGEST_THUMBNAIL = 160
MOST_THUMBNAILS = 300
"""Of more images the worst are shown; `per_image.csv` lists all."""
RIGHT = (28, 28, 28)
ERRORS = bytes([*RIGHT, *WRONG, *UNKNOWN])
"""The palette of error maps: right, wrong, void."""


@dataclass(frozen=True)
class Layer:
    """One picture of an image: its name, its text for screen readers, and its `src`."""

    name: str
    text: str
    source: str


@dataclass(frozen=True)
class LayeredImage:
    """An image with everything that a page shows of it.

    Attributes:
        key: its id in the page, of letters, digits and hyphens.
        name: of the image.
        score: in words.
        layers: the photo, then the pictures that can be laid over it.
        size: (width, height) of each, so that nothing moves when they load.
    """

    key: str
    name: str
    score: str
    layers: Sequence[Layer]
    size: tuple[int, int]


@dataclass(frozen=True)
class GalleryImage:
    """An image of the gallery; `key` is that of its `LayeredImage`, None if it has none."""

    name: str
    miou: float
    accuracy: float
    text: str
    sources: Mapping[str, str]
    size: tuple[int, int]
    key: str | None


def layered(
    key: str, name: str, score: str, truth: View, predictions: Mapping[str, View]
) -> LayeredImage:
    """Return an image with its truth, and with prediction and errors of one or more models.

    Args:
        key, name, score: see `LayeredImage`.
        truth: the view with the photo and the truth.
        predictions: views by the name of the model; a single one may be called "".
    """
    layers = [
        Layer("Image", f"{name}: image", file_uri(truth.image, "jpeg")),
        Layer("Truth", f"{name}: truth", file_uri(truth.truth, "png")),
    ]
    for model, view in predictions.items():
        of = f" of {model}" if model else ""
        layers += [
            Layer(f"Prediction{of}", f"{name}: prediction{of}", file_uri(view.prediction, "png")),
            Layer(f"Errors{of}", f"{name}: errors{of}", labels_uri(errors(view), ERRORS)),
        ]
    return LayeredImage(key, name, score, layers, _size(truth.image))


def errors(view: View) -> np.ndarray:
    """Mark where a prediction is right (0), wrong (1) and void (2), `uint8` (h, w)."""
    truth, prediction = labels_of(view.truth), labels_of(view.prediction)
    return np.where(truth == VOID, 2, truth != prediction).astype(np.uint8)


def gallery(
    views: Mapping[str, View],
    names: Sequence[str],
    miou: np.ndarray,
    accuracy: np.ndarray,
    keys: Mapping[str, str],
) -> list[GalleryImage]:
    """Return the images by rising mIoU, at most `MOST_THUMBNAILS`.

    Args:
        views: by the name of the image; images without a view are left out.
        names: of the n images.
        miou, accuracy: of each image, (n,).
        keys: of the layered images, by name.
    """
    images = []
    order = [index for index in worst_first(miou) if names[index] in views]
    for index in order[:MOST_THUMBNAILS]:
        name, view = names[index], views[names[index]]
        text = f"{name}: mIoU {percent(miou[index])}, pixel accuracy {percent(accuracy[index])}"
        sources = {
            "image": photo_uri(_small_photo(view.image), LONGEST_THUMBNAIL),
            "prediction": _small_labels(view.prediction),
            "errors": labels_uri(errors(view), ERRORS, LONGEST_THUMBNAIL),
        }
        scores = float(miou[index]), float(accuracy[index])
        images.append(GalleryImage(name, *scores, text, sources, _size(view.image), keys.get(name)))
    return images


def worst_first(miou: np.ndarray) -> list[int]:
    """Sort the positions of images by rising mIoU; those without a score come last."""
    return np.argsort(miou, kind="stable").tolist()


def extremes(order: Sequence[str], most: int) -> tuple[list[str], list[str]]:
    """Return the worst and the best images, none of them in both lists.

    Args:
        order: the images that have a score and a view, the worst first.
        most: the length of each list at most.
    """
    count = min(most, -(-len(order) // 2))
    return list(order[:count]), list(order[count:][::-1][:most])


def keyed(prefix: str, names: Iterable[str]) -> dict[str, str]:
    """Number names to keys: ``<prefix>-1``, ``<prefix>-2`` ..."""
    return {name: f"{prefix}-{number}" for number, name in enumerate(names, 1)}


def _size(file: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(file), formats=("JPEG",)) as image:
        return image.size


def _small_photo(file: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(file), formats=("JPEG",)) as image:
        size = LONGEST_THUMBNAIL, LONGEST_THUMBNAIL
        image.draft("RGB", size)  # a JPEG decodes faster at a smaller size
        return np.asarray(image.convert("RGB"))


def _small_labels(png: bytes) -> str:
    with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
        palette = bytes(image.getpalette() or bytes(range(256)) * 3)
        return labels_uri(np.asarray(image), palette, LONGEST_THUMBNAIL)
