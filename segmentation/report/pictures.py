"""The pictures of a page: thumbnails of all images, and whole views of some."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from segmentation.classes import VOID
from segmentation.console import percent
from segmentation.pictures import UNKNOWN, WRONG
from segmentation.report.pages import labels_uri, packed_uri, photo_uri
from segmentation.runs.views import View, labels_of

LONGEST_THUMBNAIL = 160
MOST_THUMBNAILS = 300
"""Of more images the worst are shown; `per_image.csv` has all."""
RIGHT = (28, 28, 28)
ERRORS = bytes([*RIGHT, *WRONG, *UNKNOWN])
"""The palette of error maps: right, wrong, void."""


@dataclass(frozen=True)
class Layer:
    """One picture of a view: its name, what it shows in words, and its `src`."""

    name: str
    said: str
    source: str


@dataclass(frozen=True)
class Shown:
    """An image with all that a page shows of it.

    Attributes:
        key: its name in the page, of letters, digits and hyphens.
        name: of the image.
        score: in words.
        layers: the photo, then what can be laid over it.
        size: (width, height) of all of them, so that nothing moves when they load.
    """

    key: str
    name: str
    score: str
    layers: Sequence[Layer]
    size: tuple[int, int]


@dataclass(frozen=True)
class Thumbnail:
    """An image of the gallery: `key` is that of its whole view, None where there is none."""

    name: str
    miou: float
    accuracy: float
    said: str
    sources: Mapping[str, str]
    size: tuple[int, int]
    key: str | None


def whole(key: str, name: str, score: str, truth: View, others: Mapping[str, View]) -> Shown:
    """Return an image with its truth, and with prediction and error of one or more models.

    Args:
        key, name, score: see `Shown`.
        truth: where photo and truth are taken from.
        others: the views that predictions are taken from, by what the prediction is called; the
            only one needs no name.
    """
    layers = [
        Layer("Image", f"{name}: image", packed_uri(truth.image, "jpeg")),
        Layer("Truth", f"{name}: truth", packed_uri(truth.truth, "png")),
    ]
    for who, view in others.items():
        of = f" of {who}" if who else ""
        layers += [
            Layer(f"Prediction{of}", f"{name}: prediction{of}", packed_uri(view.prediction, "png")),
            Layer(f"Errors{of}", f"{name}: errors{of}", labels_uri(errors(view), ERRORS)),
        ]
    return Shown(key, name, score, layers, _size(truth.image))


def errors(view: View) -> np.ndarray:
    """Return where a prediction is right (0), wrong (1) and void (2), `uint8` (h, w)."""
    truth, prediction = labels_of(view.truth), labels_of(view.prediction)
    return np.where(truth == VOID, 2, truth != prediction).astype(np.uint8)


def thumbnails(
    views: Mapping[str, View],
    names: Sequence[str],
    miou: np.ndarray,
    accuracy: np.ndarray,
    keys: Mapping[str, str],
) -> list[Thumbnail]:
    """Return the gallery: the images by rising mIoU, at most `MOST_THUMBNAILS`.

    Args:
        views: by the name of the image; images without one are left out.
        names: of the n images.
        miou, accuracy: of each, (n,).
        keys: of the images that are shown whole, by name.
    """
    found = []
    held = [index for index in worst_first(miou) if names[index] in views]
    for index in held[:MOST_THUMBNAILS]:
        name, view = names[index], views[names[index]]
        said = f"{name}: mIoU {percent(miou[index])}, pixel accuracy {percent(accuracy[index])}"
        sources = {
            "image": photo_uri(_opened(view.image), LONGEST_THUMBNAIL),
            "prediction": _small_labels(view.prediction),
            "errors": labels_uri(errors(view), ERRORS, LONGEST_THUMBNAIL),
        }
        scores = float(miou[index]), float(accuracy[index])
        found.append(Thumbnail(name, *scores, said, sources, _size(view.image), keys.get(name)))
    return found


def worst_first(miou: np.ndarray) -> list[int]:
    """Return the positions of images by rising mIoU; those without a score come last."""
    return np.argsort(miou, kind="stable").tolist()


def extremes(order: Sequence[str], most: int) -> tuple[list[str], list[str]]:
    """Return the worst and the best images, at most so many of each, and none in both.

    Args:
        order: the images that have a score and a view, the worst first.
        most: of each.
    """
    count = min(most, -(-len(order) // 2))
    return list(order[:count]), list(order[count:][::-1][:most])


def keyed(prefix: str, names: Iterable[str]) -> dict[str, str]:
    """Return a key for each name."""
    return {name: f"{prefix}-{number}" for number, name in enumerate(names, 1)}


def _size(file: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(file)) as image:
        return image.size


def _opened(file: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(file)) as image:
        image.draft("RGB", (LONGEST_THUMBNAIL, LONGEST_THUMBNAIL))  # a JPEG decodes faster smaller
        return np.asarray(image.convert("RGB"))


def _small_labels(png: bytes) -> str:
    with Image.open(io.BytesIO(png)) as image:
        palette = bytes(image.getpalette() or bytes(range(256)) * 3)
        return labels_uri(np.asarray(image), palette, LONGEST_THUMBNAIL)
