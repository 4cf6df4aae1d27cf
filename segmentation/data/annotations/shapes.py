"""Draw the shapes of regions: polygons by COCO's own rasteriser, boxes, ellipses, bitmaps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from segmentation.data.annotations.regions import Size
from segmentation.data.annotations.rle import RunLengths, encode, from_counts

REACH = 1
"""How far outside of its image a polygon may reach, in image sizes; beyond it the units differ."""
MOST_STEPS = 5_000_000
"""The longest outlines of a region in pixels: drawing them takes 50 bytes for each."""
ELLIPSE_POINTS = 90


@dataclass(frozen=True, eq=False)
class Polygons:
    """The union of polygons, less holes.

    Args:
        outlines, holes: each `float64` (n, 2), x and y in pixels from the corner of the image.
    """

    outlines: Sequence[np.ndarray]
    holes: Sequence[np.ndarray] = ()

    def draw(self, size: Size) -> RunLengths | None:
        """Draw the polygons, see `Shape`."""
        outlines = [points for points in self.outlines if len(points) >= 3]
        if not outlines:
            return None
        _check(outlines, size)

        # The window that holds all of them, also where they leave the image: pycocotools draws what
        # it clips with other pixels along the border
        low = np.floor(np.min([points.min(axis=0) for points in outlines], axis=0)).astype(int)
        high = np.ceil(np.max([points.max(axis=0) for points in outlines], axis=0)).astype(int)
        left, top = low.tolist()
        window = (int(high[1]) - top, int(high[0]) - left)
        if 0 in window:
            return None

        drawn = _fill(outlines, (left, top), window)
        holes = [points for points in self.holes if len(points) >= 3]
        if holes:
            _check(holes, size)
            mask = drawn.decode() & ~_fill(holes, (left, top), window).decode()
            drawn = encode(mask)
        return cut(RunLengths(drawn.counts, *window, top, left), size)


@dataclass(frozen=True, eq=False)
class Encoded:
    """A mask of the whole image in COCO's RLE.

    Args:
        counts: run lengths, or COCO's text of them.
        size: height and width of the mask.
    """

    counts: Sequence[int] | str
    size: Size

    def draw(self, size: Size) -> RunLengths | None:
        """Decode the mask, see `Shape`."""
        if tuple(self.size) != tuple(size):
            raise ValueError(
                f"its RLE is of {self.size[0]}x{self.size[1]} pixels, its image has "
                f"{size[0]}x{size[1]} (height x width)"
            )
        drawn = from_counts(self.counts, *size)
        return drawn if drawn.area else None


@dataclass(frozen=True, eq=False)
class Bitmap:
    """A mask that is decoded when it is drawn.

    Args:
        decode: returns the mask as run lengths in its window; may raise ValueError.
    """

    decode: Callable[[Size], RunLengths]

    def draw(self, size: Size) -> RunLengths | None:
        """Decode the mask and cut off what lies outside of the image, see `Shape`."""
        return cut(self.decode(size), size)


def cut(drawn: RunLengths, size: Size) -> RunLengths | None:
    """Cut off what lies outside of an image; None if no pixel is left."""
    height, width = size
    inside = (
        drawn.top >= 0
        and drawn.left >= 0
        and drawn.top + drawn.height <= height
        and drawn.left + drawn.width <= width
    )
    if not inside:
        mask = drawn.decode()
        top, left = max(drawn.top, 0), max(drawn.left, 0)
        rows = slice(top - drawn.top, max(height - drawn.top, 0))
        columns = slice(left - drawn.left, max(width - drawn.left, 0))
        drawn = encode(mask[rows, columns], top, left)
    return drawn if drawn.area else None


def box(left: float, top: float, right: float, bottom: float, rotation: float = 0.0) -> Polygons:
    """Return a box, turned clockwise about its centre by so many degrees."""
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=float)
    return Polygons([_turned(corners, corners.mean(axis=0), rotation)])


def ellipse(x: float, y: float, across: float, down: float, rotation: float = 0.0) -> Polygons:
    """Return an ellipse of centre (x, y) and two radii, turned clockwise by so many degrees."""
    angles = np.linspace(0, 2 * np.pi, ELLIPSE_POINTS, endpoint=False)
    points = np.stack([x + across * np.cos(angles), y + down * np.sin(angles)], axis=1)
    return Polygons([_turned(points, np.array([x, y]), rotation)])


def _turned(points: np.ndarray, center: np.ndarray, degrees: float) -> np.ndarray:
    if not degrees:
        return points
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)  # y points down, so this turns clockwise
    return (points - center) @ np.array([[cos, sin], [-sin, cos]]) + center


def _check(outlines: Sequence[np.ndarray], size: Size) -> None:
    """Refuse polygons that are far outside of their image, or cross it thousands of times.

    The drawing takes memory for each step along an outline.
    """
    points, limits = np.concatenate(outlines), np.array(size[::-1])
    if not np.isfinite(points).all():
        raise ValueError("a coordinate is not finite")
    if (points < -REACH * limits).any() or (points > (1 + REACH) * limits).any():
        x, y = points[np.abs(points - limits / 2).sum(axis=1).argmax()]
        raise ValueError(
            f"a polygon has the point ({x:g}, {y:g}), far outside of its image of "
            f"{size[1]}x{size[0]} pixels: check the units and the size of the image"
        )
    steps = sum(np.abs(ring - np.roll(ring, 1, axis=0)).max(axis=1).sum() for ring in outlines)
    if steps > MOST_STEPS:
        raise ValueError(
            f"its outline is {steps:,.0f} pixels long, more than any object's in an image of "
            f"{size[1]}x{size[0]}: the limit is {MOST_STEPS:,}"
        )


def _fill(outlines: Sequence[np.ndarray], origin: tuple[int, int], window: Size) -> RunLengths:
    """Fill polygons in a window whose corner is at `origin`, (x, y)."""
    height, width = window
    moved = [(points - origin).ravel().tolist() for points in outlines]
    drawn = coco_mask.merge(coco_mask.frPyObjects(moved, height, width))
    return from_counts(drawn["counts"], height, width)
