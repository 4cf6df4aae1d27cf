"""Trees and hedges: crowns of many clumps, lit from above and from the sun's side."""

import cv2
import numpy as np

from segmentation.streets.colors import Color, scaled
from segmentation.streets.view import TREE, View

_LEAVES: tuple[Color, ...] = (
    (74, 104, 46), (92, 118, 56), (58, 84, 48), (112, 120, 58), (66, 78, 40), (88, 100, 70),
    (146, 104, 48), (128, 80, 46), (150, 134, 66), (52, 66, 52),
)  # fmt: skip
_BARK: tuple[Color, ...] = ((92, 78, 64), (72, 64, 58), (112, 104, 92))
_LEVELS = (0.5, 0.8, 1.08, 1.4)  # brightness of speckles, dark to light


def draw_tree(view: View, x: float, z: float, height: float, shape: str) -> None:
    """Draw a tree at (x, z); all lengths in metres.

    `shape` is ``"round"``, ``"tall"`` (a poplar), ``"conifer"`` or ``"bare"`` (in winter).
    """
    dice = view.dice
    bark = dice.tone(dice.pick(_BARK), 0.2)
    girth = height * dice.between(0.018, 0.03)
    lean = dice.between(-0.04, 0.04) * height
    if shape == "bare":
        _draw_branches(view, x, z, height, girth, bark)
        return
    clear = height * {"round": dice.between(0.2, 0.36), "tall": 0.1, "conifer": 0.06}[shape]
    trunk = [(x - girth, 0, z), (x + girth, 0, z), (x + lean + girth * 0.6, clear * 1.5, z),
             (x + lean - girth * 0.6, clear * 1.5, z)]  # fmt: skip
    view.fill(trunk, bark, TREE)
    leaves = dice.tone(dice.pick(_LEAVES), 0.25)
    middle, half = (height + clear) / 2, (height - clear) / 2
    wide = half * {"round": dice.between(0.85, 1.2), "tall": 0.42, "conifer": 0.5}[shape]
    near = height / z > 0.2
    count, speckles = (30, 14 if height / z > 0.45 else 7) if near else (12, 4)
    angle, spread = dice.many(0, 2 * np.pi, count), np.sqrt(dice.many(0, 1, count))
    up = spread * np.cos(angle)
    taper = 0.62 - 0.5 * up if shape == "conifer" else np.ones(count)
    clumps = np.stack([x + lean + spread * np.sin(angle) * wide * taper, middle + up * half], 1)
    radius = half * (0.34 if near else 0.42) * np.minimum(taper + 0.25, 1)
    draw_foliage(view, clumps, z, radius, leaves, speckles)


def draw_foliage(
    view: View, clumps: np.ndarray, z: float, radius: np.ndarray, leaves: Color, speckles: int
) -> None:
    """Draw clumps of leaves: round masses, then speckles from dark to light over them.

    Args:
        view: the canvas.
        clumps: (N, 2): x and y of the centres, in metres.
        z: distance in metres.
        radius: (N,) in metres.
        leaves: colour.
        speckles: number for each clump.
    """
    dice, light = view.dice, view.light
    center = clumps.mean(axis=0)
    extent = np.abs(clumps - center).max(axis=0) + 1e-6
    local = (clumps - center) / extent
    toward = np.array([light.toward_sun[0], light.toward_sun[1]])
    sunny = 0.72 + 0.28 * np.clip(local @ toward, -1, 1) + 0.1 * local[:, 1]
    order = np.argsort(sunny)
    middles = view.project(np.column_stack([clumps, np.full(len(clumps), z)])[order])
    pixels = np.maximum(radius[order] * (0.85 * view.focal / z), 1).astype(int)
    shades = [
        view.paint(scaled(leaves, 0.8 * sunny[order[k * len(order) // 5]]), TREE, z=z)
        for k in range(5)
    ]
    for k, (middle, reach) in enumerate(zip(middles.tolist(), pixels.tolist(), strict=True)):
        cv2.circle(view.pixels, middle, reach, shades[5 * k // len(order)], -1)

    which = np.repeat(np.arange(len(clumps)), speckles)
    offset = dice.many(-1, 1, len(which), 2) * radius[which, None]
    at = clumps[which] + offset
    bright = sunny[which] + 0.35 * (offset * toward).sum(axis=1) / radius[which]
    bright += dice.many(-0.3, 0.3, len(which))
    size = radius[which] * dice.many(0.35, 1.0, len(which)) / np.sqrt(speckles)
    turn = dice.many(0, 2 * np.pi, len(which))[:, None] + np.arange(5) * (2 * np.pi / 5)
    reach = size[:, None] * dice.many(0.5, 1.2, len(which), 5)
    outline = np.empty((len(which), 5, 3))
    outline[..., 0] = at[:, :1] + reach * np.cos(turn)
    outline[..., 1] = at[:, 1:] + reach * np.sin(turn)
    outline[..., 2] = z
    levels = np.array_split(np.argsort(bright), len(_LEVELS))
    for level, gain in zip(levels, _LEVELS, strict=True):
        view.fill_many(outline[level], scaled(leaves, gain), TREE)


def _draw_branches(
    view: View, x: float, z: float, height: float, girth: float, bark: Color
) -> None:
    """Draw a bare tree: each branch forks into three thinner and shorter ones."""
    dice = view.dice
    foot, angle = np.array([[x, 0.0]]), np.array([0.0])
    length = height * 0.3
    for _ in range(5):
        reach = length * dice.many(0.75, 1.2, len(foot))
        tip = foot + np.stack([np.sin(angle), np.cos(angle)], axis=1) * reach[:, None]
        paths = np.stack([foot, tip], axis=1)
        paths = np.concatenate([paths, np.full((*paths.shape[:2], 1), z)], axis=2)
        view.lines(paths, bark, TREE, max(2 * girth, 2.4 * z / view.focal))
        foot = np.repeat(tip, 3, axis=0)
        angle = np.repeat(angle, 3) + dice.many(-0.75, 0.75, len(foot))
        length, girth = length * 0.72, girth * 0.55


def draw_hedge(view: View, ends: np.ndarray, height: float, leaves: Color) -> None:
    """Draw a clipped hedge between two ground points, `ends` (2, 2): x and z in metres."""
    dice = view.dice
    (x0, z0), (x1, z1) = ends
    body = [(x0, 0, z0), (x1, 0, z1), (x1, height, z1), (x0, height, z0)]
    view.fill(body, scaled(leaves, 0.7), TREE)
    top = [(x0, height, z0), (x1, height, z1), (x1 + np.sign(x1) * 0.7, height, z1),
           (x0 + np.sign(x0) * 0.7, height, z0)]  # fmt: skip
    view.fill(top, leaves, TREE, (0.0, 1.0, 0.0))
    count = 60 if min(z0, z1) < 20 else 16
    share, up = dice.many(0, 1, count, 1), height * np.sqrt(dice.many(0, 1.15, count, 1))
    leaf = np.array([(-0.5, -0.3), (0.3, -0.5), (0.5, 0.3), (-0.2, 0.5)])
    size = 0.28 if count == 60 else 0.5
    outline = np.empty((count, 4, 3))
    outline[..., 0] = x0 + share * (x1 - x0) + size * leaf[:, 0]
    outline[..., 1] = up + size * leaf[:, 1]
    outline[..., 2] = z0 + share * (z1 - z0)
    for k, gain in enumerate((0.55, 0.85, 1.1, 0.7)):
        view.fill_many(outline[k::4], scaled(leaves, gain), TREE)
