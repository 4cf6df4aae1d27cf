"""Poles and lamp posts."""

import cv2

from segmentation.streets.colors import Color, scaled
from segmentation.streets.dice import Dice
from segmentation.streets.view import POLE, SCALE, View

_METAL: tuple[Color, ...] = (
    (120, 122, 124), (70, 74, 76), (44, 50, 48), (150, 152, 150), (56, 66, 58),
)  # fmt: skip


def metal(dice: Dice) -> Color:
    """Return a random colour for poles."""
    return dice.tone(dice.pick(_METAL), 0.2)


def draw_pole(view: View, x: float, z: float, height: float, width: float, color: Color) -> None:
    """Draw an upright pole over whole columns of the picture, at least one.

    Between two columns it would be the majority of neither, so it is moved by up to half a pixel.
    """
    (u, top), (_, bottom) = view.project([(x, height, z), (x, 0, z)]).tolist()
    wide = max(1, round(width * view.focal / z / SCALE))  # in the picture's pixels
    left = SCALE * round((u / SCALE) - wide / 2)
    middle, right = left + wide, left + SCALE * wide - 1
    lit, dark = (view.paint(scaled(color, gain), POLE, z=z) for gain in (1.1, 0.72))
    cv2.rectangle(view.pixels, (left, top), (right, bottom), lit, -1)
    cv2.rectangle(view.pixels, (middle, top), (right, bottom), dark, -1)


def draw_lamp_post(view: View, x: float, z: float, height: float, side: int, color: Color) -> None:
    """Draw a lamp post on one side, with an arm over the road."""
    reach = -side * view.dice.between(0.9, 2.0)
    draw_pole(view, x, z, height, 0.19, color)
    draw_pole(view, x, z, 1.2, 0.26, color)
    arm = [(0, -0.1), (0.5, 0.28), (1, 0.3)]
    path = [(x + along * reach, height + up, z) for along, up in arm]
    view.lines([path], color, POLE, max(0.1, SCALE * z / view.focal))
    lamp = [(0.9, 0.2), (1.45, 0.25), (1.4, 0.45), (1.0, 0.42)]
    head = [(x + along * reach, height + up, z) for along, up in lamp]
    view.fill(head, (700, 620, 420) if view.light.dark else color, POLE)
    view.glow((x + reach * 1.2, height + 0.32, z), 1.5, (200, 170, 110), POLE)
