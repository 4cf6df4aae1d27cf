"""Turn the canvas into picture and mask: effects of lens, sensor and weather."""

import cv2
import numpy as np

from segmentation.streets import textures
from segmentation.streets.view import BUILDING, FENCE, PAVEMENT, ROAD, SCALE, TREE, View

_GRAIN = np.zeros(256, np.float32)
_GRAIN[[BUILDING, PAVEMENT, FENCE, TREE]] = 0.05, 0.04, 0.06, 0.13


def majority(labels: np.ndarray) -> np.ndarray:
    """Return the majority class (H, W) of each 2 x 2 block of labels (2 H, 2 W).

    Ties go to the block's first pixel.
    """
    a, b, c, d = labels[::2, ::2], labels[::2, 1::2], labels[1::2, ::2], labels[1::2, 1::2]
    first = (a == b) | (a == c) | (a == d)
    return np.where(first | ~((b == c) | (b == d) | (c == d)), a, np.where(c == d, c, b))


def develop(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Return the picture, uint8 (H, W, 3), and its mask, uint8 (H, W), of what was drawn."""
    dice, light = view.dice, view.light
    height, width = view.rows // SCALE, view.cols // SCALE
    mask = np.ascontiguousarray(majority(view.pixels[..., 3]))
    image = cv2.resize(view.pixels, (width, height), interpolation=cv2.INTER_AREA)
    image = image[..., :3].astype(np.float32)

    texture = textures.window(textures.fractal(0.5), dice.many(0, 1, 2), height, width)
    image *= (1 + texture * _GRAIN[mask] * dice.between(0.6, 1.4))[..., None]
    if light.weather == "rain" or (light.weather in ("overcast", "night") and dice.chance(0.3)):
        _wet_road(view, image, mask)
    if light.dark:
        _halos(view, image, mask)
    if light.weather == "rain":
        _streaks(view, image)
    return _expose(view, image), mask


def _wet_road(view: View, image: np.ndarray, mask: np.ndarray) -> None:
    """Reflect the scene in the road, in stretched patches as on wet asphalt."""
    height, width = mask.shape
    horizon = min(max(int(view.horizon / SCALE) + 2, 1), height - 2)
    mirrored = image[np.clip(2 * horizon - np.arange(horizon, height), 0, height - 1)]
    mirrored = cv2.blur(mirrored, (3, max(3, height // 24)))
    place = view.dice.many(0, 1, 2)
    patches = textures.window(textures.fractal(1.3), place, height - horizon, width)
    share = np.clip(0.3 + 0.15 * patches, 0.05, 0.55) * (mask[horizon:] == ROAD)
    image[horizon:] += share[..., None] * (mirrored - image[horizon:])


def _halos(view: View, image: np.ndarray, mask: np.ndarray) -> None:
    """Add the halos of visible lamps and headlights."""
    height, width = mask.shape
    layer = np.zeros((max(height // 2, 1), max(width // 2, 1), 3), np.float32)
    lamps = np.zeros_like(image)
    for u, v, radius, color, label in view.glows:
        u, v, radius = u // SCALE, v // SCALE, max(radius / SCALE, 1.0)
        if mask[min(v, height - 1), min(u, width - 1)] == label:
            cv2.circle(layer, (u // 2, v // 2), max(1, round(radius / 4)), color, -1)
            cv2.circle(lamps, (u, v), max(1, round(radius / 8)), color, -1)
    blurred = cv2.GaussianBlur(layer, (0, 0), max(width / 60, 1.0))
    image += cv2.resize(blurred, (width, height)) * 1.6 + lamps * 0.8


def _streaks(view: View, image: np.ndarray) -> None:
    """Draw raindrops as short bright lines, in `image` only: they have no class."""
    height, width = image.shape[:2]
    lean, count = view.dice.between(-0.3, 0.3), int(view.dice.between(40, 160))
    layer = np.zeros((height, width), np.float32)
    start = view.dice.many(0, 1, count, 2) * (width, height)
    length = view.dice.many(0.01, 0.05, count) * height
    stop = start + np.stack([length * lean, length], axis=1)
    segments = np.rint(np.stack([start, stop], axis=1)).astype(np.int32)
    cv2.polylines(layer, list(segments), False, 1.0, 1)
    image += cv2.GaussianBlur(layer, (0, 0), 0.6)[..., None] * view.dice.between(15, 40)


def _expose(view: View, image: np.ndarray) -> np.ndarray:
    """Apply exposure, colour cast, vignette, contrast, blur and noise; clip to 8 bits."""
    dice = view.dice
    height, width = image.shape[:2]
    cast = dice.many(0.93, 1.07, 3).astype(np.float32) * dice.between(0.9, 1.32)
    du = (np.arange(width, dtype=np.float32) / width - 0.5)[None, :]
    dv = (np.arange(height, dtype=np.float32) / height - 0.5)[:, None]
    vignette = 1 - dice.between(0.0, 0.55) * (du**2 + dv**2)
    image *= vignette[..., None] * cast
    pivot, contrast = dice.between(95, 135), dice.between(0.8, 1.2)
    image = (image - pivot) * contrast + pivot + dice.between(-6, 12)
    blur = dice.between(0.15, 0.75)
    if blur > 0.3:
        image = cv2.GaussianBlur(image, (3, 3), blur)

    strength = dice.between(1.0, 4.5) * (1.8 if view.light.weather == "night" else 1.0)
    white = textures.fractal(0.0)
    noise = cv2.merge([textures.window(white, dice.many(0, 1, 2), height, width) for _ in "rgb"])
    image = cv2.scaleAdd(noise, strength, image)
    return cv2.convertScaleAbs(np.maximum(image, 0, out=image))
