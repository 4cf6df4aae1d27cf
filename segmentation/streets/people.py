"""Pedestrians and bicyclists, as flat figures that face the camera."""

import numpy as np

from segmentation.streets.colors import Color, scaled
from segmentation.streets.dice import Dice
from segmentation.streets.view import BICYCLIST, PEDESTRIAN, View, billboard, box, disc

_SKINS: tuple[Color, ...] = ((226, 186, 160), (196, 148, 118), (142, 98, 74), (92, 64, 50))
_HAIR: tuple[Color, ...] = (
    (40, 32, 28), (88, 62, 42), (168, 134, 84), (150, 148, 146), (30, 30, 34),
)  # fmt: skip
_TROUSERS: tuple[Color, ...] = (
    (44, 50, 72), (34, 34, 38), (92, 84, 72), (70, 84, 112), (120, 112, 98),
)  # fmt: skip


def _clothes(dice: Dice) -> tuple[Color, Color, Color, Color]:
    """Return colours of coat, trousers, skin and hair."""
    coat = dice.any_color(40, 235, 0.8) if dice.chance(0.6) else dice.tone((46, 46, 52), 0.4)
    return coat, dice.tone(dice.pick(_TROUSERS), 0.3), dice.pick(_SKINS), dice.pick(_HAIR)


def _limb(a: tuple[float, float], b: tuple[float, float], start: float, stop: float) -> np.ndarray:
    """Return the outline (4, 2) of a limb from a to b, `start` to `stop` metres wide."""
    along = np.subtract(b, a)
    across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6) / 2
    return np.array([a - across * start, a + across * start, b + across * stop, b - across * stop])


def draw_pedestrian(view: View, x: float, z: float, height: float) -> None:
    """Draw a pedestrian at (x, z); `height` in metres."""
    dice, k = view.dice, height / 1.75
    coat, trousers, skin, hair = _clothes(dice)
    stride, swing = dice.between(0.02, 0.28), dice.between(0.0, 0.2)
    hem = dice.pick((0.85, 0.85, 0.62, 0.5))
    side = dice.pick((-1, 1))
    shaded = scaled(coat, 0.78)

    def part(outline: np.ndarray, color: Color) -> None:
        view.fill(billboard(x, z, outline * k), color, PEDESTRIAN)

    for foot, gain in ((-stride, 0.8), (stride, 1.0)):
        hip = (0.07 * np.sign(foot), 0.9)
        part(_limb(hip, (foot, 0.05), 0.19, 0.13), scaled(trousers, gain))
        part(box(foot - 0.09, foot + 0.13 * side + 0.05, 0.0, 0.08), (32, 30, 30))
    part(_limb((-0.2, 1.4), (-0.24 - swing, 0.86), 0.13, 0.1), shaded)
    part(np.array([(-0.23, 1.44), (0.23, 1.44), (0.21, hem), (-0.21, hem)]), coat)
    part(np.array([(-0.23, 1.44), (-0.05, 1.44), (-0.07, hem), (-0.21, hem)]), shaded)
    part(_limb((0.2, 1.4), (0.24 + swing, 0.86), 0.13, 0.1), coat)
    part(disc(0.24 + swing, 0.83, 0.06, 8), skin)
    part(box(-0.05, 0.05, 1.4, 1.52), skin)
    part(disc(0.0, 1.62, 0.13, 12), hair)
    part(disc(0.03 * side, 1.6, 0.1, 10), skin if dice.chance(0.6) else hair)
    if dice.chance(0.35):
        bag = dice.any_color(30, 200, 0.7)
        part(box(0.18, 0.42, 0.5, 0.88) * (side, 1), bag)


def draw_bicyclist(view: View, x: float, z: float, across: bool) -> None:
    """Draw a bicycle and its rider at (x, z): from the side if `across`, else from behind."""
    if across:
        _draw_from_side(view, x, z)
    else:
        _draw_from_behind(view, x, z)


def _draw_from_behind(view: View, x: float, z: float) -> None:
    dice = view.dice
    coat, trousers, skin, hair = _clothes(dice)
    helmet = dice.any_color(60, 240, 0.6) if dice.chance(0.5) else hair

    def part(outline: np.ndarray, color: Color) -> None:
        view.fill(billboard(x, z, outline), color, BICYCLIST)

    part(disc(0, 0.36, 0.36, 16) * (0.16, 1.0), (26, 26, 28))
    part(box(-0.3, 0.3, 1.02, 1.08), (40, 40, 42))
    pedal = dice.between(0.12, 0.38)
    for side, foot in ((-1, pedal), (1, 0.5 - pedal)):
        knee = (0.17 * side, 0.62 + 0.3 * foot)
        part(_limb((0.1 * side, 0.95), knee, 0.19, 0.16), trousers)
        part(_limb(knee, (0.13 * side, foot), 0.15, 0.11), scaled(trousers, 0.85))
        part(box(0.13 * side - 0.06, 0.13 * side + 0.06, foot - 0.06, foot + 0.05), (30, 30, 32))
        part(_limb((0.2 * side, 1.42), (0.3 * side, 1.07), 0.13, 0.1), scaled(coat, 0.85))
    part(np.array([(-0.22, 1.48), (0.22, 1.48), (0.17, 0.9), (-0.17, 0.9)]), coat)
    part(box(-0.12, 0.12, 0.86, 0.96), (30, 30, 32))
    part(disc(0, 1.64, 0.12, 12), skin)
    part(disc(0, 1.68, 0.13, 12), helmet)
    if dice.chance(0.6):
        part(box(-0.05, 0.05, 0.7, 0.78), (200, 30, 26))


def _draw_from_side(view: View, x: float, z: float) -> None:
    dice = view.dice
    coat, trousers, skin, hair = _clothes(dice)
    helmet = dice.any_color(60, 240, 0.6) if dice.chance(0.5) else hair
    frame = dice.any_color(40, 220, 0.8)
    way = dice.pick((-1, 1))

    def part(outline: np.ndarray, color: Color) -> None:
        view.fill(billboard(x, z, outline * (way, 1)), color, BICYCLIST)

    ring = disc(0, 0, 0.34, 18)
    ring = np.concatenate([ring, ring[:1]])
    for hub in (-0.52, 0.52):
        wheel = disc(hub * way, 0.34, 0.34, 18)
        view.veil(billboard(x, z, wheel), (120, 120, 122), BICYCLIST, 0.45)
        rim = billboard(x, z, np.add(ring, (hub, 0.34)) * (way, 1))
        view.lines([rim], (26, 26, 28), BICYCLIST, 0.07)
    for a, b in (((-0.52, 0.34), (-0.1, 0.38)), ((-0.1, 0.38), (-0.2, 0.9)),
                 ((-0.17, 0.78), (0.4, 0.86)), ((-0.1, 0.38), (0.4, 0.82)),
                 ((0.38, 1.0), (0.52, 0.34)), ((-0.52, 0.34), (-0.19, 0.8))):  # fmt: skip
        part(_limb(a, b, 0.06, 0.06), frame)
    turn = dice.between(0, 2 * np.pi)
    for phase, gain in ((np.pi, 0.75), (0.0, 1.0)):
        foot = (-0.1 + 0.17 * np.sin(turn + phase), 0.34 + 0.17 * np.cos(turn + phase))
        knee = (0.5 * (foot[0] - 0.18) + 0.24, 0.5 * (foot[1] + 0.92) + 0.05)
        shade = scaled(trousers, gain)
        part(_limb((-0.2, 0.95), knee, 0.2, 0.16), shade)
        part(_limb(knee, foot, 0.15, 0.1), shade)
        part(box(foot[0] - 0.08, foot[0] + 0.15, foot[1] - 0.07, foot[1] + 0.02), (30, 30, 32))
    part(_limb((-0.2, 0.92), (0.14, 1.42), 0.3, 0.34), coat)
    part(_limb((0.14, 1.36), (0.42, 1.04), 0.13, 0.1), scaled(coat, 0.82))
    part(disc(0.25, 1.62, 0.12, 12), skin)
    part(disc(0.22, 1.66, 0.125, 12), helmet)
