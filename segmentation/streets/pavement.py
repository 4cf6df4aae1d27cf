"""Place lamps, signs, barriers, trees and people on the pavements."""

import numpy as np

from segmentation.streets import people, plants, poles, signs
from segmentation.streets.clutter import draw_clutter
from segmentation.streets.colors import Color
from segmentation.streets.fences import draw_fence
from segmentation.streets.stage import Stage

_CROWD = {"high street": 5.2, "terrace": 3.6}
"""Largest number of pedestrian groups on a pavement, by street style."""
_CLUTTER = {"bin": 3, "box": 2, "cone": 1.2, "dog": 1, "skip": 0.8, "shelter": 1.6}


def place_pavement(stage: Stage, side: int) -> None:
    """Fill the pavement on one side (-1 left, 1 right)."""
    color = poles.metal(stage.dice)
    _lamps(stage, side, color)
    _signs(stage, side, color)
    _barriers(stage, side, color)
    if stage.street.style in ("avenue", "park", "suburb") and stage.dice.chance(0.55):
        _trees(stage, side)
    _people(stage, side)
    for z in stage.dice.many(6, 30, int(stage.dice.between(0, 4.2))):
        across = stage.dice.between(0.5, stage.street.pavement(side))
        kind = stage.dice.weighted(_CLUTTER)
        stage.stand(draw_clutter, _x(stage, side, across, z), z, 2.5, kind)


def _x(stage: Stage, side: int, across: float, z: float) -> float:
    """Return world x of a point `across` metres behind the kerb."""
    return stage.street.x(side * (stage.street.half + across), z)


def _lamps(stage: Stage, side: int, color: Color) -> None:
    dice = stage.dice
    pitch, height = dice.between(18, 30), dice.between(5, 8)
    for z in np.arange(dice.between(7, 20), min(stage.street.end, 60), pitch):
        x = _x(stage, side, 0.5, z)
        stage.stand(poles.draw_lamp_post, x, z, 3, height, side, color)
        stage.cast(x, z, 0.1, height)


def _signs(stage: Stage, side: int, color: Color) -> None:
    dice = stage.dice
    for z in dice.many(6.5, 26, int(dice.between(0.5, 2.9))):
        x = _x(stage, side, 0.5, z)
        stage.stand(signs.draw_sign, x, z, 1.5, dice.between(2.1, 3.0), color)
        stage.cast(x, z, 0.1, 2.5)
    if dice.chance(0.25):
        z = dice.between(8, 30)
        stage.stand(signs.draw_traffic_light, _x(stage, side, 0.5, z), z, 1, color)
    if dice.chance(0.22):
        z = dice.between(8, 26)
        x = _x(stage, side, stage.street.pavement(side) - 0.7, z)
        stage.stand(signs.draw_poster, x, z, 1)


def _barriers(stage: Stage, side: int, color: Color) -> None:
    """Place bollards, or a railing along the kerb."""
    dice = stage.dice
    kind = dice.weighted({"bollards": 0.15, "railing": 0.27, "none": 0.58})
    start, count = dice.between(5, 18), int(dice.between(2, 7))
    if kind == "bollards":
        for z in start + 2.5 * np.arange(count):
            stage.stand(poles.draw_pole, _x(stage, side, 0.4, z), z, 0.5, 1.0, 0.14, color)
    elif kind == "railing":
        for z in start + 2.5 * np.arange(count):
            ends = np.array([(_x(stage, side, 0.3, at), at) for at in (z, z + 2.5)])
            if stage.view.sees(ends[1][0], ends[1][1], 2.5):
                stage.add(z + 2.5, draw_fence, ends, "railing", 1.1, color)


def _trees(stage: Stage, side: int) -> None:
    dice = stage.dice
    height, pitch = dice.between(4.5, 8.5), dice.between(8, 15)
    shape = dice.weighted({"round": 0.8, "tall": 0.1, "bare": 0.1})
    for z in np.arange(dice.between(8, 16), min(stage.street.end, 90), pitch):
        x, tall = _x(stage, side, 0.8, z), height * dice.between(0.85, 1.15)
        stage.stand(plants.draw_tree, x, z, 0.6 * tall, tall, shape)
        stage.cast(x, z, tall * 0.28, tall, tall * 0.3)


def _people(stage: Stage, side: int) -> None:
    dice, room = stage.dice, max(stage.street.pavement(side) - 0.5, 0.9)
    for _ in range(int(dice.between(0, _CROWD.get(stage.street.style, 3.2)))):
        z, x = dice.between(6.5, 20), dice.between(0.6, room)
        for k in range(1 + dice.chance(0.35)):
            at = _x(stage, side, x, z) + 0.62 * k
            stage.stand(people.draw_pedestrian, at, z, 0.6, dice.between(1.5, 1.9))
            stage.cast(at, z, 0.25, 1.7)
