"""Objects of CamVid's Unlabelled: bins, boxes, cones, dogs, skips, bus shelters."""

import numpy as np

from segmentation.streets.colors import Color, scaled
from segmentation.streets.view import UNLABELLED, View, billboard, box, disc

_COATS: tuple[Color, ...] = ((60, 48, 38), (180, 150, 110), (210, 206, 200), (36, 34, 34))


def draw_clutter(view: View, x: float, z: float, kind: str) -> None:
    """Draw an unlabelled object at (x, z), in metres.

    `kind` is ``"bin"``, ``"box"`` (post or telephone), ``"cone"``, ``"dog"``, ``"skip"`` or
    ``"shelter"`` (of a bus stop).
    """
    dice = view.dice
    paint = dice.any_color(30, 190, 0.75)
    shade = scaled(paint, 0.7)

    def part(outline: np.ndarray | list, color: Color) -> None:
        view.fill(billboard(x, z, outline), color, UNLABELLED)

    if kind == "bin":
        for left in 0.7 * np.arange(int(dice.between(1, 4))):
            part([(left, 0), (left + 0.55, 0), (left + 0.6, 1.0), (left - 0.05, 1.0)], paint)
            part(box(left - 0.08, left + 0.63, 1.0, 1.1), shade)
    elif kind == "box":
        wide, high = dice.pick(((0.28, 1.5), (0.5, 2.4)))
        front = dice.tone((170, 30, 30), 0.2) if dice.chance(0.5) else paint
        part(box(-wide, wide, 0, high), front)
        part(box(-wide * 0.7, wide * 0.7, high * 0.3, high * 0.85), scaled(front, 0.6))
    elif kind == "cone":
        for foot in 0.8 * np.arange(int(dice.between(1, 4))):
            sides = [(foot - 0.25, 0), (foot + 0.25, 0), (foot + 0.05, 0.8), (foot - 0.05, 0.8)]
            part(sides, (226, 96, 34))
            part(box(foot - 0.13, foot + 0.13, 0.35, 0.5), (236, 236, 232))
    elif kind == "dog":
        coat = dice.pick(_COATS)
        part([(-0.35, 0.35), (0.3, 0.35), (0.3, 0.62), (-0.35, 0.6)], coat)
        part(disc(0.42, 0.7, 0.15, 8), coat)
        for leg in (-0.32, -0.18, 0.15, 0.27):
            part(box(leg - 0.04, leg + 0.04, 0, 0.4), coat)
    elif kind == "skip":
        part([(-1.1, 0.2), (1.1, 0.2), (1.5, 1.25), (-1.5, 1.25)], paint)
        part(box(-1.2, 1.2, 1.2, 1.5), shade)
    elif kind == "shelter":
        view.veil(billboard(x, z, box(-1.6, 1.6, 0.2, 2.2)), (120, 132, 138), UNLABELLED, 0.55)
        part(box(-1.8, 1.8, 2.2, 2.45), shade)
        for post in (-1.6, 0.0, 1.6):
            part(box(post - 0.05, post + 0.05, 0, 2.2), shade)
