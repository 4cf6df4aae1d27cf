"""The ground: carriageway, side streets, kerbs, pavements, lawns, markings and shadows."""

import cv2
import numpy as np

from segmentation.streets import textures
from segmentation.streets.colors import Color, scaled
from segmentation.streets.light import UP
from segmentation.streets.markings import draw_markings, draw_repairs, fill_band
from segmentation.streets.street import FAR, Plot, Street
from segmentation.streets.view import NEAR, PAVEMENT, ROAD, TREE, UNLABELLED, View

Shadow = tuple[np.ndarray, float]
"""Ground points (K, 3), and the share of light missing there, 0..1."""
_FARTHEST = 220.0  # metres
_WIDE = 140.0  # metres to either side
_ASPHALT: tuple[Color, ...] = ((92, 92, 95), (112, 108, 104), (78, 80, 86), (128, 126, 122))
_SLABS: tuple[Color, ...] = (
    (140, 136, 128), (118, 116, 114), (160, 150, 136), (132, 112, 100), (96, 96, 98),
)  # fmt: skip
_GRASS: tuple[Color, ...] = ((84, 112, 54), (108, 112, 62), (72, 92, 48), (120, 104, 70))


def draw_ground(view: View, street: Street, shadows: list[Shadow]) -> None:
    """Draw the ground below the horizon, layer over layer."""
    asphalt, slabs, grass = (
        view.dice.tone(view.dice.pick(colors), 0.2) for colors in (_ASPHALT, _SLABS, _GRASS)
    )
    view.pixels[int(view.horizon) + 1 :] = view.paint(grass, TREE, UP)
    for plot in street.plots:
        _plot(view, street, plot, slabs, grass)
    along = (NEAR, street.end)
    kerb = view.dice.tone((158, 156, 150), 0.15)
    for side in (-1, 1):
        edge, back = side * street.half, side * (street.half + 0.25)
        fill_band(view, street, (street.edge(side), back), along, slabs, PAVEMENT)
        _joints(view, street, side, slabs)
        fill_band(view, street, (back, edge), along, kerb, PAVEMENT)
    stop = street.end if street.end < FAR else _FARTHEST
    fill_band(view, street, (-street.half, street.half), (NEAR, stop), asphalt, ROAD)
    if street.end < FAR:
        _crossing_road(view, street, asphalt, slabs)
    for plot in street.plots:
        if plot.kind == "side":
            _side_street(view, street, plot, asphalt)
    draw_repairs(view, street, asphalt)
    draw_markings(view, street, asphalt)
    _weather(view, shadows)


def _plot(view: View, street: Street, plot: Plot, slabs: Color, grass: Color) -> None:
    """Lay the ground of one plot, from the back of the pavement outwards."""
    dice, edge, along = view.dice, street.edge(plot.side), (plot.start, plot.stop)
    if plot.kind in ("row", "side"):
        out = 14 if plot.kind == "row" else _WIDE
        fill_band(view, street, (edge, edge + plot.side * out), along, slabs, PAVEMENT)
        return
    lawn, soil = dice.tone(grass, 0.12), dice.tone((104, 88, 70), 0.25)
    fill_band(view, street, (edge, edge + plot.side * _WIDE), along, lawn, TREE)
    if dice.chance(0.5):  # trodden earth is neither pavement nor lawn
        strip = edge + plot.side * dice.between(0.25, 0.8)
        fill_band(view, street, (edge, strip), along, soil, UNLABELLED)


def _joints(view: View, street: Street, side: int, slabs: Color) -> None:
    """Draw the joints between paving slabs."""
    inner, outer = side * (street.half + 0.25), street.edge(side)
    step, last = view.dice.between(0.7, 1.4), min(street.end, 34.0)

    def path(across: np.ndarray, z: np.ndarray) -> np.ndarray:
        return np.stack([street.x(across, z), np.zeros_like(z), z], axis=-1)

    z = np.repeat(np.arange(2.0, last, step)[:, None], 2, axis=1)
    view.lines(path(np.array([inner, outer]), z), scaled(slabs, 0.8), PAVEMENT, normal=UP)
    across = np.arange(step, abs(outer - inner), step)[:, None]
    z = np.repeat(np.geomspace(2.0, last, 12)[None], len(across), axis=0)
    view.lines(path(inner + side * across, z), scaled(slabs, 0.8), PAVEMENT, normal=UP)


def _side_street(view: View, street: Street, plot: Plot, asphalt: Color) -> None:
    """Draw the carriageway of a side street, with rounded kerb corners."""
    side, half = plot.side, street.half
    start, stop = plot.start + 1.8, plot.stop - 1.8
    corner = 1.6
    shape = [
        (half - 0.1, start - corner), (half + 0.5 * corner, start - 0.3 * corner),
        (half + corner, start), (_WIDE, start), (_WIDE, stop), (half + corner, stop),
        (half + 0.5 * corner, stop + 0.3 * corner), (half - 0.1, stop + corner),
    ]  # fmt: skip
    points = [(street.x(side * d, z), 0.0, z) for d, z in shape]
    cv2.fillPoly(view.pixels, [view.project(points)], view.paint(asphalt, ROAD, UP))
    line = [(street.x(side * (half - 0.05), z), 0.0, z) for z in (start, stop)]
    view.lines([line], (190, 190, 184), ROAD, 0.14, UP)


def _crossing_road(view: View, street: Street, asphalt: Color, slabs: Color) -> None:
    """Draw the road that crosses the end of the street, with a pavement beyond."""
    z0, z1 = street.end - 1.0, street.end + 2 * street.half - 1.0
    for near, far, color, label in (
        (z1, z1 + 4, slabs, PAVEMENT),
        (z0, z1, asphalt, ROAD),
        (z1, z1 + 0.3, (160, 158, 152), PAVEMENT),
    ):
        quad = [(-_WIDE, 0, near), (_WIDE, 0, near), (_WIDE, 0, far), (-_WIDE, 0, far)]
        cv2.fillPoly(view.pixels, [view.project(quad)], view.paint(color, label, UP))


def _weather(view: View, shadows: list[Shadow]) -> None:
    """Apply grain, shadows and haze to the ground in one pass over its pixels."""
    dice, light = view.dice, view.light
    top = int(view.horizon) + 1
    v = np.arange(top, view.rows, dtype=np.float32) + 0.5
    z = np.minimum(view.focal * view.eye / np.maximum(v - view.horizon, 0.5), 400)[:, None]
    x = (np.arange(view.cols, dtype=np.float32)[None, :] - view.middle) * z / view.focal
    scale, left = dice.between(14, 26), dice.between(0, textures.SIDE)
    columns = (x * scale + left).astype(np.float32)
    lines = np.repeat((z * scale).astype(np.float32), view.cols, axis=1)
    tile = textures.fractal(1.0)
    grain = cv2.remap(tile, columns, lines, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    gain = 1 + grain * (dice.between(0.04, 0.1) / (1 + z / 14)).astype(np.float32)

    cover = np.zeros(grain.shape, np.uint8)
    for points, strength in shadows:
        cv2.fillPoly(cover, [view.project(points) - (0, top)], int(255 * strength))
    gain = gain * (1 - cv2.blur(cover, (5, 3)) * np.float32(1 / 255))

    clear = np.exp(-light.haze * z).astype(np.float32)
    gain8 = cv2.convertScaleAbs(gain * clear, alpha=128)
    unchanged = np.full_like(gain8, 128)  # for the class index
    gains = cv2.merge([gain8, gain8, gain8, unchanged])
    ground = cv2.multiply(view.pixels[top:], gains, scale=1 / 128)
    veil = np.zeros((len(z), 1, 4), np.uint8)
    veil[:, 0, :3] = (1 - clear) * np.array(light.horizon)
    view.pixels[top:] = cv2.add(ground, np.repeat(veil, view.cols, axis=1))
