"""Details of the carriageway: bands along it, repairs, manhole covers, painted lines."""

import cv2
import numpy as np

from segmentation.streets.colors import Color, mixed, scaled
from segmentation.streets.light import UP
from segmentation.streets.street import FAR, Street
from segmentation.streets.view import NEAR, ROAD, View, disc

Range = tuple[float, float]

_WHITE: Color = (225, 225, 220)
_YELLOW: Color = (222, 186, 70)
_STEPS = np.linspace(0, 1, 20)  # exponents, for even steps in the picture


def fill_band(
    view: View, street: Street, across: Range, along: Range, color: Color, label: int
) -> None:
    """Fill a band of ground that follows the centre line.

    Args:
        view, street: canvas and plan.
        across: distances of both edges to the right of the centre line, in metres.
        along: z of both ends, in metres.
        color, label: of the surface.
    """
    start, stop = max(along[0], NEAR), along[1]
    if stop <= start:
        return
    z = start * (stop / start) ** _STEPS
    outline = np.zeros((2 * len(z), 3))
    outline[:, 2] = np.concatenate([z, z[::-1]])
    outline[:, 0] = street.x(np.repeat(across, len(z)), outline[:, 2])
    cv2.fillPoly(view.pixels, [view.project(outline)], view.paint(color, label, UP))


def draw_repairs(view: View, street: Street, asphalt: Color) -> None:
    """Draw wheel tracks, asphalt patches and manhole covers."""
    dice = view.dice
    for track in (-0.72, -0.28, 0.28, 0.72):
        at = track * street.half
        shade = scaled(asphalt, dice.between(0.92, 1.05))
        fill_band(view, street, (at - 0.35, at + 0.35), (NEAR, street.end), shade, ROAD)
    for _ in range(int(dice.between(1, 7))):
        z, left = dice.between(3, 26), dice.between(-0.9, 0.6) * street.half
        right = min(left + dice.between(0.4, 1.6), street.half)
        shade = scaled(asphalt, dice.between(0.72, 1.18))
        fill_band(view, street, (left, right), (z, z + dice.between(0.6, 6)), shade, ROAD)
    for _ in range(int(dice.between(0, 4))):
        z, across = dice.between(4, 24), dice.between(-0.8, 0.8) * street.half
        right, ahead = disc(street.x(across, z), z, 0.33, 14).T
        cover = np.stack([right, np.zeros_like(right), ahead], axis=1)
        view.fill(cover, scaled(asphalt, 0.62), ROAD, UP)


def draw_markings(view: View, street: Street, asphalt: Color) -> None:
    """Paint worn centre and lane lines, a zebra crossing, a stop line and edge lines."""
    dice = view.dice
    wear = dice.between(0.35, 1.0)
    white, yellow = (mixed(asphalt, paint, wear) for paint in (_WHITE, _YELLOW))
    if dice.chance(0.85):
        pitch, dash = dice.pick(((6.0, 2.2), (9.0, 4.0), (6.0, 4.0)))
        starts = np.arange(dice.between(0.5, pitch), street.end - 5, pitch)
        _paint(view, street, [(0.0, 0.13, z, z + dash) for z in starts], white)
    if street.half > 4.9 and dice.chance(0.5):
        for lane in (-0.5 * street.half, 0.5 * street.half):
            _paint(view, street, [(lane, 0.1, z, z + 1.2) for z in np.arange(2, 60, 4.0)], white)
    if dice.chance(0.3):
        z = dice.between(7, 24)
        stripes = np.arange(0.7 - street.half, street.half - 0.2, 1.1)
        _paint(view, street, [(across, 0.55, z, z + 2.8) for across in stripes], white)
    if street.end < FAR:
        lane, z = 0.5 * street.drive * street.half, street.end - 2.4
        _paint(view, street, [(lane, 0.9 * street.half, z, z + 0.4)], white)
    if dice.chance(0.5):
        color, insets = dice.pick(((yellow, (0.25, 0.45)), (yellow, (0.3,)), (white, (0.3,))))
        for inset in insets:
            for side in (-1, 1):
                at, stop = side * (street.half - inset), min(street.end, 60)
                fill_band(view, street, (at - 0.05, at + 0.05), (NEAR, stop), color, ROAD)


def _paint(
    view: View, street: Street, bars: list[tuple[float, float, float, float]], color: Color
) -> None:
    """Paint disjoint bars: metres from the centre line, width, first and last z."""
    corners = [
        [
            (street.x(across + s * wide / 2, z), 0.0, z)
            for s, z in zip((-1, 1, 1, -1), ends, strict=True)
        ]
        for across, wide, z0, z1 in bars
        for ends in ((z0, z0, z1, z1),)
    ]
    view.fill_many(np.array(corners), color, ROAD, UP)
