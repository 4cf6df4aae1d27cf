"""Draw predictions: image, truth, prediction and error side by side, with a legend.

All arrays are `uint8`. Labels are 0..C-1, and `VOID` where the truth is unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

from segmentation.classes import VOID, ClassTable
from segmentation.metrics.counting import label_map
from segmentation.system.files import atomic_file

Color = tuple[int, int, int]

TITLES = ("Image", "Truth", "Prediction", "Error")
WRONG = (255, 45, 85)
UNKNOWN = (190, 190, 190)

PAPER, INK, FAINT = (255, 255, 255), (30, 30, 30), (105, 105, 105)
GAP, MARGIN = 8, 20
TITLE_TEXT, CAPTION_TEXT, LEGEND_TEXT = 24, 16, 18
TILE_WIDTH = (320, 640)
"""The smallest and largest width of a tile, in pixels."""


class Samples(Protocol):
    """A dataset whose samples have `image` (`uint8` C, H, W), `mask` (h, w) and `name`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> dict: ...


@dataclass(frozen=True)
class Example:
    """One image with its truth and its prediction.

    Attributes:
        name: of the image.
        image: RGB (H, W, 3); its size may differ from the labels'.
        truth: labels (h, w), with `VOID`.
        prediction: labels (h, w), without `VOID`.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray


def viewed(image: np.ndarray, shown: Sequence[int] = (0, 1, 2)) -> np.ndarray:
    """Return three channels of an image for people to look at.

    8-bit values are shown as they are; of others the 2nd to the 98th percentile of each channel
    becomes 0 to 255.

    Args:
        image: (H, W, C), of any type.
        shown: the channels for red, green and blue, from 0; of fewer than three the first.

    Returns:
        `uint8` RGB (H, W, 3).
    """
    if image.dtype == np.uint8 and image.shape[2] == 3:
        return image
    chosen = image[..., list(shown) if image.shape[2] >= 3 else [0, 0, 0]]
    if image.dtype == np.uint8:
        return chosen
    chosen = chosen.astype(np.float32)
    low, high = np.nanpercentile(chosen[:: _step(chosen), :: _step(chosen)], (2, 98), axis=(0, 1))
    scaled = (chosen - low) / np.maximum(high - low, 1e-12)
    return np.rint(255 * np.nan_to_num(np.clip(scaled, 0, 1))).astype(np.uint8)


def _step(image: np.ndarray) -> int:
    """Return the distance of the pixels that stand for all of an image."""
    return max(1, min(image.shape[:2]) // 256)


def overlay(
    image: np.ndarray, labels: np.ndarray, classes: ClassTable, alpha: float = 0.5
) -> np.ndarray:
    """Overlay the class colours on an image; void pixels are unchanged.

    Args:
        image: RGB (H, W, 3).
        labels: labels (H, W).
        classes: the class table.
        alpha: weight of the colours, 0..1.

    Returns:
        RGB (H, W, 3).
    """
    colors = classes.palette().take(labels, axis=0)
    mixed = cv2.addWeighted(np.ascontiguousarray(image), 1 - alpha, colors, alpha, 0)
    np.copyto(mixed, image, where=(labels == VOID)[..., None])
    return mixed


def error_view(image: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Highlight wrong pixels over a dimmed grey image; void is uniform grey.

    Args:
        image: RGB (H, W, 3).
        truth: labels (H, W), with `VOID`.
        prediction: labels (H, W).

    Returns:
        RGB (H, W, 3).
    """
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    # At most 130: even the brightest sky is darker than void.
    view = np.repeat((28 + 0.4 * grey).astype(np.uint8)[..., None], 3, axis=2)
    view[truth != prediction] = WRONG
    view[truth == VOID] = UNKNOWN
    return view


def panel(
    image: np.ndarray, truth: np.ndarray, prediction: np.ndarray, classes: ClassTable
) -> np.ndarray:
    """Draw image, truth, prediction and error side by side, each under its title.

    Args:
        image: RGB (H, W, 3); its size may differ from the labels'.
        truth: labels (h, w), with `VOID`.
        prediction: labels (h, w).
        classes: the class table.

    Returns:
        RGB; tiles have the aspect ratio of the labels, and a width within `TILE_WIDTH`.
    """
    row = _row(Example("", image, truth, prediction), classes, _tile_width(truth.shape[1]))
    return np.concatenate([_titles(row.shape[1]), row])


def sheet(rows: Sequence[Example], classes: ClassTable) -> np.ndarray:
    """Draw a panel for each example, one below the other, and a legend of the classes.

    Each row has a caption: the image's name and the share of wrong labelled pixels.

    Args:
        rows: at least one; images are resized to one width.
        classes: the class table.

    Returns:
        RGB, on white paper with a margin.
    """
    tile = max(_tile_width(row.truth.shape[1]) for row in rows)
    width = 4 * tile + 3 * GAP
    parts = [_titles(width)]
    for row in rows:
        parts += [_caption(row, width), _row(row, classes, tile)]
    entries = [("void", (0, 0, 0)), ("error: wrong", WRONG), ("error: void", UNKNOWN)]
    parts.append(legend([*zip(classes.names, classes.colors, strict=True), *entries], width))
    return pad(np.concatenate(parts), MARGIN, MARGIN, MARGIN, MARGIN)


@torch.no_grad()
def predict_labels(model: nn.Module, image: Tensor, size: Sequence[int]) -> np.ndarray:
    """Predict the labels of one image, on the model's device.

    Args:
        model: `uint8` (1, C, H, W) to logits.
        image: `uint8` (C, H, W).
        size: (height, width) of the result; logits are resized before the argmax.

    Returns:
        Labels of that size. Every submodule keeps its training or evaluation mode.
    """
    modes = [(module, module.training) for module in model.modules()]
    weight = next(chain(model.parameters(), model.buffers()))  # an exported file has no parameters
    model.eval()
    try:
        labels = label_map(model(image[None].to(weight.device)), size)
    finally:
        for module, training in modes:
            module.training = training
    return labels[0].to(torch.uint8).cpu().numpy()


def evenly_spaced(total: int, count: int) -> list[int]:
    """Return at most `count` evenly spaced indices below `total`."""
    count = min(count, total)
    return [(2 * i + 1) * total // (2 * count) for i in range(count)]


def example(model: nn.Module, sample: dict) -> Example:
    """Predict a sample of a dataset at the resolution of its mask.

    Args:
        model: `uint8` (1, C, H, W) to logits.
        sample: `image` (C, H, W), `mask` (h, w), `name`, and maybe `shown`, see `viewed`.
    """
    truth = sample["mask"].to(torch.uint8).cpu().numpy()
    prediction = predict_labels(model, sample["image"], truth.shape)
    image = sample["image"].permute(1, 2, 0).cpu().numpy()
    picture = np.ascontiguousarray(viewed(image, sample.get("shown", (0, 1, 2))))
    return Example(str(sample["name"]), picture, truth, prediction)


def save_pictures(
    model: nn.Module, dataset: Samples, classes: ClassTable, path: Path, count: int = 6
) -> None:
    """Write a sheet of evenly spaced images of a dataset; the suffix of `path` is the format."""
    rows = [example(model, dataset[i]) for i in evenly_spaced(len(dataset), count)]
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, sheet(rows, classes))


def write_picture(path: Path, pixels: np.ndarray, **options: Any) -> None:
    """Write a picture in one step; the suffix of `path` is the format, `options` are Pillow's."""
    formats = Image.registered_extensions()
    with atomic_file(path) as partial:
        Image.fromarray(pixels).save(partial, formats[path.suffix.lower()], **options)


def _tile_width(width: int) -> int:
    """Return the tile width for labels of a width; small ones are enlarged by a whole factor."""
    low, high = TILE_WIDTH
    return min(high, width * max(1, -(-low // width)))


def _row(example: Example, classes: ClassTable, width: int) -> np.ndarray:
    """Draw the four tiles of an example, each `width` pixels wide."""
    height, own_width = example.truth.shape
    size = (width, max(1, round(height * width / own_width)))
    shrinks = example.image.shape[1] > width
    image = cv2.resize(
        example.image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    )
    truth, prediction = (
        cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
        for labels in (example.truth, example.prediction)
    )
    palette = classes.palette()
    error = error_view(image, truth, prediction)
    tiles = [image, palette[truth], palette[prediction], error]
    spaced = [pad(tile, right=GAP) for tile in tiles[:-1]] + tiles[-1:]
    return np.concatenate(spaced, axis=1)


def _columns(width: int) -> list[int]:
    """Return the left edges of the four tiles in a row."""
    step = (width - 3 * GAP) // 4 + GAP
    return [column * step for column in range(4)]


def _titles(width: int) -> np.ndarray:
    strip = Image.new("RGB", (width, TITLE_TEXT + 2 * GAP), PAPER)
    for left, title in zip(_columns(width), TITLES, strict=True):
        write(strip, (left, strip.height // 2), title, TITLE_TEXT, INK)
    return np.asarray(strip)


def _caption(example: Example, width: int) -> np.ndarray:
    """Draw the caption of a row: name on the left, share of wrong pixels on the right."""
    labelled = example.truth != VOID
    wrong = (example.truth != example.prediction)[labelled]
    share = f"{100 * wrong.mean():.1f} % of the pixels wrong" if wrong.size else "no truth"
    strip = Image.new("RGB", (width, CAPTION_TEXT + 2 * GAP), PAPER)
    first, second, _, last = _columns(width)
    middle = strip.height // 2 + 2
    name = _shorten(example.name, second - GAP, CAPTION_TEXT)
    write(strip, (first, middle), name, CAPTION_TEXT, FAINT)
    write(strip, (last, middle), share, CAPTION_TEXT, FAINT)
    return np.asarray(strip)


def legend(entries: Sequence[tuple[str, Color]], width: int) -> np.ndarray:
    """Draw a swatch and a name for each entry, wrapped to `width`; RGB on white."""
    swatch, line = 22, 34
    places: list[tuple[int, int]] = []
    x, y = 0, MARGIN
    for name, _ in entries:
        span = swatch + GAP + int(_font(LEGEND_TEXT).getlength(name)) + 3 * GAP
        if x and x + span > width:
            x, y = 0, y + line
        places.append((x, y))
        x += span
    strip = Image.new("RGB", (width, y + swatch + 1), PAPER)
    draw = ImageDraw.Draw(strip)
    for (name, color), (x, y) in zip(entries, places, strict=True):
        box = (x, y, x + swatch, y + swatch)
        draw.rounded_rectangle(box, radius=4, fill=color, outline=(200, 200, 200))
        write(strip, (x + swatch + GAP, y + swatch // 2), name, LEGEND_TEXT, INK)
    return np.asarray(strip)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def write(strip: Image.Image, place: tuple[int, int], text: str, size: int, color: Color) -> None:
    """Write a line of text on a picture; `place` is the (x, y) of its left edge's middle."""
    ImageDraw.Draw(strip).text(place, text, fill=color, font=_font(size), anchor="lm")


def _shorten(text: str, width: int, size: int) -> str:
    """Cut off the start of a long name, as file names differ at their end."""
    if _font(size).getlength(text) <= width:
        return text
    while text and _font(size).getlength("..." + text) > width:
        text = text[1:]
    return "..." + text


def pad(
    image: np.ndarray, top: int = 0, bottom: int = 0, left: int = 0, right: int = 0
) -> np.ndarray:
    """Add white margins to an RGB picture (H, W, 3), in pixels."""
    return cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT, value=PAPER)
