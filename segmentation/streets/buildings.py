"""Buildings: a front along the street, an end wall that faces the camera, a roof."""

import numpy as np

from segmentation.streets.colors import scaled
from segmentation.streets.facades import draw_courses, draw_front, draw_windows
from segmentation.streets.light import FACING
from segmentation.streets.view import BUILDING, View
from segmentation.streets.walls import DETAIL, Look, Wall


def draw_building(view: View, front: Wall, height: float, look: Look, depth: float) -> None:
    """Draw a building: end wall, roof, then the front along the street (from near to far end).

    `height` of the eaves and `depth` from front to back are in metres.
    """
    near = front.a
    back = (near[0] - front.normal[0] * depth, near[1] - front.normal[2] * depth)
    end = Wall(near, back, FACING)
    rise = depth * view.dice.between(0.28, 0.5) if look.pitched else 0.0
    _draw_end(view, end, height, rise, look)
    if rise:
        _draw_roof(view, front, height, rise, look, depth)
    draw_front(view, front, height, look)


def _draw_end(view: View, end: Wall, height: float, rise: float, look: Look) -> None:
    """Draw the wall that faces the camera, with its gable."""
    along, up = np.array([0, 1, 1, 0.5, 0]), np.array([0, 0, height, height + rise, height])
    plain = view.dice.tone(look.wall, 0.12)
    view.fill(end.points(along, up), plain, BUILDING, end.normal)
    draw_courses(view, end, height, look, plain)
    if end.distance < DETAIL and view.dice.chance(0.5):
        draw_windows(view, end, height, look, view.dice.between(2.5, 4.5), 0)


def _draw_roof(
    view: View, front: Wall, height: float, rise: float, look: Look, depth: float
) -> None:
    """Draw the slope towards the street, unless the wall hides it: its tiles and chimneys."""
    if rise / (depth / 2) < (height - view.eye) / max(abs(front.a[0]), 1.0):
        return
    dice, normal = view.dice, (front.normal[0] * 0.6, 0.8, front.normal[2] * 0.6)
    ends = np.array([0.0, 1.0])
    overhang = 0.25  # metres, along the slope's own line, so that roof and gable meet
    eaves = front.points(ends, height - overhang * rise / (depth / 2), overhang)
    ridge = front.points(ends, height + rise, -depth / 2)
    view.fill(np.concatenate([eaves, ridge[::-1]]), look.roof, BUILDING, normal)
    if front.distance > DETAIL:
        return
    share = np.arange(1, 8)[:, None, None] / 8
    view.lines(eaves + share * (ridge - eaves), scaled(look.roof, 0.82), BUILDING, normal=normal)
    for at in dice.many(0.08, 0.92, int(dice.between(0, 3))):
        x, y, z = front.points(at, height + rise, -depth / 2).tolist()
        half, tall = dice.between(0.4, 0.8), dice.between(0.9, 1.9)
        side = x + (half if front.normal[0] > 0 else -half)
        flank = Wall((side, z), (side, z + 1), front.normal)
        face = Wall((x - half, z), (x + half, z), FACING)
        for wall in (flank, face):
            panel = wall.panels(0.0, 1.0, y - 0.8, y + tall)
            view.fill_many(panel, look.wall, BUILDING, wall.normal)
