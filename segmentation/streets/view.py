"""The camera and its canvas, which turn surfaces in metres into pixels with a colour and a class.

One array holds RGB and the class index, so that one drawing call paints both, and mask and picture
agree. The canvas has twice the picture's height and width. World: x to the right, y up from the
ground, z ahead of the camera, in metres.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from segmentation.classes import CAMVID
from segmentation.streets.colors import Color
from segmentation.streets.dice import Dice
from segmentation.streets.light import FACING, Light, Vector

(SKY, BUILDING, POLE, ROAD, PAVEMENT, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST, UNLABELLED) = (
    range(len(CAMVID))
)
"""CamVid's indices on disk; the last one is void."""

SCALE = 2
"""Canvas pixels for each pixel of the picture, in each direction."""
NEAR = 0.6
"""Nothing is drawn nearer to the camera than this, in metres."""
_FAR_OUTSIDE = 16000  # pixels, safe from overflow in cv2's fixed-point arithmetic


class View:
    """A camera that looks along the street, with its canvas.

    Args:
        size: height and width of the picture, in pixels.
        dice: the scene's random numbers.
        light: the scene's light.
    """

    def __init__(self, size: tuple[int, int], dice: Dice, light: Light) -> None:
        self.dice, self.light = dice, light
        self.rows, self.cols = SCALE * size[0], SCALE * size[1]
        self.pixels = np.zeros((self.rows, self.cols, 4), np.uint8)
        self.focal = self.cols * dice.between(0.82, 1.05)
        self.horizon = self.rows * dice.between(0.43, 0.57)
        self.middle = self.cols * dice.between(0.4, 0.6)
        self.eye = dice.between(1.25, 1.75)
        self.glows: list[tuple[int, int, float, Color, int]] = []

    def project(self, points: np.ndarray | Sequence) -> np.ndarray:
        """Return canvas coordinates, int32 (..., 2), of world points (..., 3)."""
        points = np.asarray(points, np.float64)
        ratio = self.focal / np.maximum(points[..., 2], NEAR)
        pixels = np.empty((*points.shape[:-1], 2))
        pixels[..., 0] = self.middle + points[..., 0] * ratio
        pixels[..., 1] = self.horizon + (self.eye - points[..., 1]) * ratio
        np.maximum(pixels, -_FAR_OUTSIDE, out=pixels)
        np.minimum(pixels, _FAR_OUTSIDE, out=pixels)
        return np.rint(pixels, out=pixels).astype(np.int32)

    def sees(self, x: float, z: float, reach: float) -> bool:
        """Return whether anything within `reach` metres of (x, z) is in the camera's width.

        The answer, and with it the scene, does not depend on the size of the picture.
        """
        if z + reach < NEAR:
            return False
        slope, left = self.focal / self.cols, self.middle / self.cols
        depth = z + reach  # the cone is widest at the far side
        return -left * depth - reach < x * slope < (1 - left) * depth + reach

    def paint(
        self, color: Color, label: int, normal: Vector = FACING, z: float = 0.0
    ) -> tuple[float, float, float, float]:
        """Return a surface's values on the canvas: its lit colour and its class."""
        red, green, blue = self.light.on(color, normal, z)
        return min(red, 255), min(green, 255), min(blue, 255), label

    def fill(
        self, points: np.ndarray | Sequence, color: Color, label: int, normal: Vector = FACING
    ) -> None:
        """Fill one polygon, world points (K, 3)."""
        points = np.asarray(points, np.float64)
        ink = self.paint(color, label, normal, points[0, 2])
        cv2.fillPoly(self.pixels, [self.project(points)], ink)

    def fill_many(
        self, polygons: np.ndarray, color: Color, label: int, normal: Vector = FACING
    ) -> None:
        """Fill disjoint polygons, world points (N, K, 3), in one colour."""
        if len(polygons):
            ink = self.paint(color, label, normal, polygons[0, 0, 2])
            cv2.fillPoly(self.pixels, list(self.project(polygons)), ink)

    def lines(
        self,
        paths: np.ndarray | Sequence,
        color: Color,
        label: int,
        width: float = 0.0,
        normal: Vector = FACING,
    ) -> None:
        """Draw open lines, world points (N, K, 3), `width` metres and at least 1 pixel wide."""
        paths = np.asarray(paths, np.float64)
        if len(paths):
            z = max(float(paths[0, 0, 2]), NEAR)
            ink = self.paint(color, label, normal, z)
            pixels = max(1, round(width * self.focal / z))
            cv2.polylines(self.pixels, list(self.project(paths)), False, ink, pixels)

    def ball(self, x: float, y: float, z: float, radius: float, color: Color, label: int) -> None:
        """Fill a ball of `radius` metres."""
        u, v = self.project((x, y, z))
        reach = max(1, round(radius * self.focal / max(z, NEAR)))
        ink = self.paint(color, label, z=z)
        cv2.ellipse(self.pixels, (int(u), int(v)), (reach, reach), 0, 0, 360, ink, -1)

    def veil(self, points: np.ndarray | Sequence, color: Color, label: int, opacity: float) -> None:
        """Fill a see-through polygon (mesh, spokes); all of it has the class, as annotated."""
        points = np.asarray(points, np.float64)
        pixels = self.project(points)
        left, top = np.maximum(pixels.min(axis=0), 0)
        right, bottom = np.minimum(pixels.max(axis=0) + 1, (self.cols, self.rows))
        if left >= right or top >= bottom:
            return
        cover = np.zeros((bottom - top, right - left), np.uint8)
        cv2.fillPoly(cover, [pixels - (left, top)], 1)
        region, inside = self.pixels[top:bottom, left:right], cover.astype(bool)
        ink = self.paint(color, label, z=points[0, 2])
        region[inside, :3] = region[inside, :3] * (1 - opacity) + np.array(ink[:3]) * opacity
        region[inside, 3] = label

    def glow(self, point: Vector, radius: float, color: Color, label: int) -> None:
        """Record a light that shines when it is dark, unless another class hides it.

        Args:
            point: (x, y, z), in metres.
            radius: of the halo, in metres.
            color: RGB that the halo adds, 0..255.
            label: class of the lamp.
        """
        u, v = self.project(point)
        if self.light.dark and 0 <= u < self.cols and 0 <= v < self.rows:
            self.glows.append((int(u), int(v), radius * self.focal / point[2], color, label))


def billboard(x: float, z: float, outline: np.ndarray | Sequence) -> np.ndarray:
    """Return world points (..., K, 3) of a flat shape at (x, z) that faces the camera.

    `outline` (..., K, 2) is in metres to the right of (x, z), and up.
    """
    outline = np.asarray(outline, np.float64)
    points = np.empty((*outline.shape[:-1], 3))
    points[..., 0] = outline[..., 0] + x
    points[..., 1] = outline[..., 1]
    points[..., 2] = z
    return points


def disc(cx: float, cy: float, radius: float, corners: int = 16, turn: float = 0.0) -> np.ndarray:
    """Return the outline (corners, 2) of a regular polygon, for `billboard`."""
    angle = turn + np.arange(corners) * (2 * np.pi / corners)
    return np.stack([cx + radius * np.sin(angle), cy + radius * np.cos(angle)], axis=-1)


def box(left: float, right: float, bottom: float, top: float) -> np.ndarray:
    """Return the outline (4, 2) of an upright rectangle, for `billboard`."""
    return np.array([(left, bottom), (right, bottom), (right, top), (left, top)])
