"""Place what is behind the pavements: rows of buildings, houses with gardens, parks."""

import math

import numpy as np

from segmentation.streets import plants, traffic
from segmentation.streets.buildings import draw_building
from segmentation.streets.carriageway import put_car
from segmentation.streets.facades import draw_front, draw_hanging_sign
from segmentation.streets.fences import FENCES, draw_fence
from segmentation.streets.light import FACING
from segmentation.streets.stage import Stage
from segmentation.streets.street import FAR, Plot
from segmentation.streets.walls import Look, Wall, random_look

_SHOPS = {"high street": 0.75, "terrace": 0.12, "avenue": 0.35}
"""Probability of a shop in a building, by street style."""


def place_roadside(stage: Stage) -> None:
    """Fill all plots, and close the street where it ends."""
    place = {"row": _row, "house": _house, "park": _park, "side": _side_street}
    for plot in stage.street.plots:
        if plot.stop > 3:
            place[plot.kind](stage, plot)
    if stage.street.end < FAR:
        _closing_row(stage)


def _build(stage: Stage, plot: Plot, setback: float, height: float, look: Look) -> Wall:
    """Put a building on a plot, `setback` metres behind the pavement; return its front."""
    across = stage.street.edge(plot.side) + plot.side * setback
    a, b = ((stage.street.x(across, z), z) for z in (max(plot.start, 0.7), plot.stop))
    angle = math.atan2(b[0] - a[0], b[1] - a[1])
    normal = (-plot.side * math.cos(angle), 0.0, plot.side * math.sin(angle))
    front, depth = Wall(a, b, normal), stage.dice.between(7, 11)
    reach = max(front.length, depth)
    if stage.view.sees(b[0], b[1], reach):
        stage.add(plot.stop, draw_building, front, height, look, depth)
    right, up, ahead = stage.view.light.toward_sun
    foot = front.points(np.array([0, 1]), 0.0)
    stage.cast_polygon(
        np.concatenate([foot, foot[::-1] - (height / up * np.array([right, 0, ahead]))])
    )
    return front


def _row(stage: Stage, plot: Plot) -> None:
    dice, style = stage.dice, stage.street.style
    look = random_look(dice, _SHOPS.get(style, 0.1))
    storeys = int(dice.between(1, 3.2) if style == "suburb" else dice.between(2, 4.7))
    setback = dice.pick((0.0, 0.0, 2.0)) if style == "avenue" else 0.0
    front = _build(stage, plot, setback, look.storey * storeys + dice.between(0.3, 1.5), look)
    if look.shop and dice.chance(0.4) and stage.view.sees(*front.b, 6):
        stage.add(plot.stop - 0.1, draw_hanging_sign, front, look)


def _house(stage: Stage, plot: Plot) -> None:
    dice = stage.dice
    setback, gap = dice.between(3, 6), dice.between(0.8, 2.5)
    look = random_look(dice, 0.0)
    inner = Plot(plot.kind, plot.side, plot.start + gap, plot.stop - gap)
    _build(stage, inner, setback, look.storey * 2 + dice.between(0, 0.8), look)
    _boundary(stage, plot, 0.5)
    if dice.chance(0.5):
        z = dice.between(plot.start, plot.stop)
        _tree(stage, plot.side, setback * 0.5, z, dice.between(3, 7))


def _park(stage: Stage, plot: Plot) -> None:
    dice = stage.dice
    _boundary(stage, plot, 0.6)
    for _ in range(int(dice.between(2, 5))):
        z = dice.between(plot.start, plot.stop)
        _tree(stage, plot.side, dice.between(1.5, 16), z, dice.between(5, 12))


def _side_street(stage: Stage, plot: Plot) -> None:
    """Close the far end of a side street with trees, and let a car come out of it."""
    dice, street = stage.dice, stage.street
    edge = street.edge(plot.side)
    for z in (plot.stop + 18, plot.stop + 25):
        x = street.x(edge, plot.stop) + plot.side * dice.between(14, 30)
        stage.stand(plants.draw_tree, x, z, 8, dice.between(6, 12), "round")
    if dice.chance(0.45):
        z = (plot.start + plot.stop) / 2 + dice.between(-1, 1)
        x = street.x(edge + plot.side * dice.between(-2.0, 3), z)
        angle = -plot.side * math.pi / 2 + dice.between(-0.25, 0.25)
        put_car(stage, traffic.random_car(dice, dice.weighted(traffic.PRIVATE), x, z, angle))


def _boundary(stage: Stage, plot: Plot, fences: float) -> None:
    """Fence off a garden or a park, in pieces short enough to sort by depth."""
    dice, street = stage.dice, stage.street
    edge = street.edge(plot.side) + plot.side * 0.35
    kind = dice.weighted({"fence": fences, "hedge": 0.35, "none": 0.15})
    color = dice.any_color(40, 200, 0.3) if dice.chance(0.6) else dice.tone((70, 92, 66), 0.3)
    style, height = dice.pick(tuple(FENCES)), dice.between(1.0, 1.9)
    z = max(plot.start, 2.0)
    while kind != "none" and z < min(plot.stop, 70):
        far = min(z + 3.0, plot.stop)
        ends = np.array([(street.x(edge, z), z), (street.x(edge, far), far)])
        if stage.view.sees(ends[1][0], ends[1][1], 3):
            if kind == "fence":
                stage.add(far, draw_fence, ends, style, height, color)
            else:
                stage.add(far, plants.draw_hedge, ends, height, dice.tone((70, 92, 50), 0.1))
        z = far


def _tree(stage: Stage, side: int, out: float, z: float, height: float) -> None:
    """Plant a tree `out` metres behind the pavement."""
    shape = stage.dice.weighted({"round": 0.68, "tall": 0.08, "conifer": 0.12, "bare": 0.12})
    if z > 5:
        x = stage.street.x(stage.street.edge(side) + side * out, z)
        stage.stand(plants.draw_tree, x, z, 0.6 * height, height, shape)
        stage.cast(x, z, height * 0.3, height, height * 0.3)


def _closing_row(stage: Stage) -> None:
    """Close the street with buildings or trees beyond the road that crosses it."""
    dice, street = stage.dice, stage.street
    z, x = street.end + 2 * street.half + 4, -60.0
    green = dice.chance(0.3)
    while x < 60:
        wide = dice.between(7, 16)
        if green:
            stage.stand(plants.draw_tree, x, z + 3, 8, dice.between(7, 14), "round")
            wide *= 0.6
        elif dice.chance(0.85):
            look = random_look(dice, 0.3)
            wall = Wall((x, z), (x + wide, z), FACING)
            height = look.storey * int(dice.between(2, 4.5)) + 0.8
            if stage.view.sees(x + wide / 2, z, wide / 2):
                stage.add(z + 5, draw_front, wall, height, look)
        x += wide
