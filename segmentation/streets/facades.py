"""Facades: courses of bricks, windows, doors, shop fronts, awnings, hanging signs."""

import numpy as np

from segmentation.streets.colors import Color, scaled
from segmentation.streets.view import BUILDING, SIGN, UNLABELLED, View
from segmentation.streets.walls import DETAIL, Lengths, Look, Wall


def draw_front(view: View, front: Wall, height: float, look: Look) -> None:
    """Draw the wall along the street, `height` metres high, with all of its details."""
    dice = view.dice
    _panels(view, front, 0.0, 1.0, 0.0, height, look.wall)
    draw_courses(view, front, height, look, look.wall)
    ground_floor = look.storey * 1.15 if look.shop else 0.0
    draw_windows(view, front, height, look, look.bay, ground_floor)
    if front.distance > DETAIL:
        return
    if look.shop:
        _draw_shop(view, front, ground_floor)
    else:
        _draw_doors(view, front, look)
    cornice = look.trim if dice.chance(0.5) else scaled(look.wall, 0.8)
    _panels(view, front, 0.0, 1.0, height - dice.between(0.2, 0.5), height, cornice, 0.03)


def _panels(
    view: View,
    wall: Wall,
    left: Lengths,
    right: Lengths,
    low: Lengths,
    high: Lengths,
    color: Color,
    out: float = 0.0,
) -> None:
    """Fill rectangles on a wall; for the bounds see `Wall.panels`."""
    view.fill_many(wall.panels(left, right, low, high, out), color, BUILDING, wall.normal)


def draw_courses(view: View, wall: Wall, height: float, look: Look, color: Color) -> None:
    """Draw the courses of bricks or stones as faint lines."""
    if wall.distance < DETAIL and look.kind != "curtain":
        step = 0.9 if look.kind == "stone" else 0.45
        up = np.arange(step, height, step)
        paths = np.stack([wall.points(0.0, up), wall.points(1.0, up)], axis=1)
        view.lines(paths, scaled(color, 0.9), BUILDING, normal=wall.normal)


def draw_windows(
    view: View, wall: Wall, height: float, look: Look, bay: float, ground_floor: float
) -> None:
    """Draw rows of windows: frames, panes in several shades, glazing bars.

    Args:
        view, wall, look: canvas, wall and style of the building.
        height: of the wall, in metres.
        bay: distance between windows, in metres.
        ground_floor: height of a ground floor without windows, in metres.
    """
    dice = view.dice
    storeys = max(1, int((height - ground_floor - 0.3) / look.storey))
    bays = max(1, int(wall.length / bay))
    column, row = (axis.ravel() for axis in np.meshgrid(np.arange(bays), np.arange(storeys)))
    shade = dice.many(0, 1, len(row))
    wide, tall = {
        "sash": (dice.between(0.4, 0.6), dice.between(0.5, 0.62)),
        "stone": (dice.between(0.3, 0.45), dice.between(0.55, 0.7)),
        "band": (0.94, dice.between(0.4, 0.55)),
        "curtain": (0.95, 0.9),
    }[look.kind]
    left, right = (column + 0.5 - wide / 2) / bays, (column + 0.5 + wide / 2) / bays
    low = ground_floor + (row + 0.5 - tall / 2) * look.storey + 0.15
    high = low + tall * look.storey
    if wall.distance > DETAIL:
        _panels(view, wall, left, right, low, high, look.glass)
        return
    if look.kind != "curtain":
        rim = 0.09 / wall.length
        _panels(view, wall, left - rim, right + rim, low - 0.1, high + 0.08, look.trim)
    panes = wall.panels(left, right, low, high)
    lit = dice.between(0.05, 0.4) if view.light.dark else 0.0
    lamp = (640, 520, 310) if view.light.weather == "night" else (420, 340, 200)
    sky = scaled(view.light.zenith, 0.62)
    upper = np.array([lit, 0.55, 0.8, 1.0])
    for k, color in enumerate((lamp, look.glass, scaled(look.glass, 0.75), sky)):
        view.fill_many(panes[np.searchsorted(upper, shade) == k], color, BUILDING, wall.normal)
    if look.kind in ("sash", "stone"):
        middle, half = (left + right) / 2, (low + high) / 2
        upright = np.stack([wall.points(middle, low), wall.points(middle, high)], axis=1)
        cross = np.stack([wall.points(left, half), wall.points(right, half)], axis=1)
        bars = np.concatenate([upright, cross])
        view.lines(bars, look.trim, BUILDING, 0.05, wall.normal)


def _draw_doors(view: View, front: Wall, look: Look) -> None:
    """Draw framed doors, and sometimes a plinth."""
    dice = view.dice
    door, wide = dice.any_color(30, 150, 0.7), min(1.0 / front.length, 0.3)
    for at in dice.many(0.05, 0.95 - wide, max(1, int(front.length / 7))):
        _panels(view, front, at - 0.1 * wide, at + 1.1 * wide, 0.0, 2.3, look.trim)
        _panels(view, front, at, at + wide, 0.0, 2.15, door)
    if dice.chance(0.5):
        _panels(view, front, 0.0, 1.0, 0.0, 0.5, scaled(look.wall, 0.7))


def _draw_shop(view: View, front: Wall, top: float) -> None:
    """Draw a shop front, `top` metres high: windows with goods, a fascia with lettering."""
    dice = view.dice
    paint = dice.any_color(30, 190, 0.75)
    _panels(view, front, 0.0, 1.0, 0.0, top - 0.1, paint)
    count = max(2, round(front.length / dice.between(1.6, 3.0)))
    left, width = np.arange(count) / count, 1 / count
    lamps = view.light.dark or dice.chance(0.25)
    inside = dice.tone((190, 165, 120) if lamps else (52, 54, 56), 0.3)
    gain = 2.2 if view.light.weather == "night" else 1.0
    low, high = dice.between(0.2, 0.6), top - 0.85
    _panels(view, front, left + 0.05 * width, left + 0.95 * width, low, high, scaled(inside, gain))
    for at, tall in zip(left, dice.many(0.3, 1.2, count), strict=True):
        goods = dice.any_color(40, 180, 0.7)
        _panels(view, front, at + 0.15 * width, at + 0.7 * width, 0.4, 0.4 + tall, goods)
    fascia = dice.tone(paint, 0.3) if dice.chance(0.6) else dice.any_color(40, 220, 0.8)
    _panels(view, front, 0.0, 1.0, top - 0.75, top - 0.1, fascia, 0.05)
    letters = np.arange(dice.between(0.15, 0.35), dice.between(0.55, 0.85), 0.035)
    ink = dice.pick(((235, 232, 220), (225, 190, 80), (30, 30, 34)))
    tops = top - 0.55 + dice.many(0.18, 0.36, len(letters))
    _panels(view, front, letters, letters + 0.022, top - 0.55, tops, ink, 0.06)
    if dice.chance(0.2):
        _draw_awning(view, front, top)


def _draw_awning(view: View, front: Wall, top: float) -> None:
    """Draw an awning over a shop front; it is unlabelled."""
    cloth = view.dice.any_color(60, 220, 0.8)
    there, back = np.array([0.04, 0.96]), np.array([0.96, 0.04])
    edge, lip = front.points(there, top - 0.8), front.points(back, top - 1.35, 1.3)
    hem = front.points(there, top - 1.62, 1.3)
    slope = (front.normal[0] * 0.6, 0.8, front.normal[2] * 0.6)
    view.fill(np.concatenate([edge, lip]), cloth, UNLABELLED, slope)
    view.fill(np.concatenate([lip, hem]), scaled(cloth, 0.8), UNLABELLED, front.normal)


def draw_hanging_sign(view: View, front: Wall, look: Look) -> None:
    """Hang a shop's sign out over the pavement, square to the street."""
    dice = view.dice
    x, low, z = front.points(dice.between(0.1, 0.9), look.storey * 1.25).tolist()
    high = low + dice.between(0.7, 1.2)
    reach = float(np.sign(front.normal[0])) * dice.between(0.8, 1.1)
    inner, outer = x + 0.15 * reach, x + reach
    board, ink = dice.any_color(50, 240, 0.8), dice.pick(((240, 238, 230), (30, 30, 34)))
    if z > 3:
        view.fill(
            [(inner, low, z), (outer, low, z), (outer, high, z), (inner, high, z)], board, SIGN
        )
        radius = 0.28 * (high - low)
        view.ball((inner + outer) / 2, (low + high) / 2, z, radius, ink, SIGN)
